"""What all commands share: dashes, errors, exit statuses, manual pages."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import main, manpage
from clients.commands import PROGRAMS, console_scripts
from clients.main import two_dashes
from clients.session import Session
from tests.examples import examples
from wms.errors import BadJobId, NoServer

KNOWN = {"--output", "-o", "--noint", "--vo", "-v"}


@pytest.mark.parametrize(("typed", "meant"), [
    ("-output f", "--output f"), ("-noint -o f", "--noint -o f"), ("-output=f x", "--output=f x"),
    ("-vo cms -v 1", "--vo cms -v 1"), ("-v1 -x", "-v1 -x"), ("-- -noint", "-- -noint"), ("- --vo", "- --vo"),
])
def test_one_dash_for_two(typed: str, meant: str):
    assert two_dashes(typed.split(), KNOWN) == meant.split()


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.text(alphabet="-outpvn =", max_size=8), max_size=6))
def test_dashes_are_only_ever_added(words: list[str]):
    changed = two_dashes(words, KNOWN)
    assert [word.lstrip("-") for word in changed] == [word.lstrip("-") for word in words]
    assert two_dashes(changed, KNOWN) == changed


@main.command("job-try")
@click.argument("what", default="")
def attempt(session: Session, what: str) -> int:
    """Do what is asked."""
    if what == "raise":
        raise NoServer("Unable to contact any Network Server\nh:1: refused", hint="Is it up?", server="h:1")
    if what == "some":
        return main.finish(session, [BadJobId("x")], 1)
    if what == "none":
        return main.finish(session, [BadJobId("x"), NoServer("y")], 0)
    session.say("said")
    session.warn("careful")
    session.answer({"result": "success"})
    return 0


def test_an_error_is_a_code_a_sentence_and_a_hint(capsys: pytest.CaptureFixture[str]):
    assert main.outcome(attempt, ["raise"]) == 1
    assert capsys.readouterr() == ("", "**** Error: UI_NO_NS_CONTACT ****\nUnable to contact any Network Server\n"
                                       "h:1: refused\nIs it up?\n")


@pytest.mark.parametrize(("arguments", "status"), [(["raise"], 1), (["--frob"], 2), (["a", "b"], 2)])
def test_with_json_an_error_is_the_one_document(arguments: list[str], status: int,
                                                capsys: pytest.CaptureFixture[str]):
    assert main.outcome(attempt, [*arguments, "-json"]) == status
    out, err = capsys.readouterr()
    assert json.loads(out)["result"] == "failure"
    assert err == ""


@pytest.mark.parametrize(("arguments", "expected"), [
    ([], ("said\n", "**** Warning: UI_WARNING ****\ncareful\n")), (["--json"], ('{"result": "success"}\n', ""))])
def test_people_get_text_and_programs_get_json(arguments: list[str], expected: tuple[str, str],
                                               capsys: pytest.CaptureFixture[str]):
    assert main.outcome(attempt, arguments) == 0
    assert capsys.readouterr() == expected


def test_the_exit_status_tells_all_some_and_none(capsys: pytest.CaptureFixture[str]):
    assert main.outcome(attempt, ["some"]) == 255
    assert capsys.readouterr().err.count("**** Error") == 1
    assert main.outcome(attempt, ["none"]) == 1
    assert capsys.readouterr().err.count("**** Error") == 2


def test_an_option_never_swallows_another(capsys: pytest.CaptureFixture[str]):
    assert main.outcome(attempt, ["--logfile", "--debug"]) == 2
    assert "UI_ARG_MISS" in capsys.readouterr().err


# -- programs and their pages ----------------------------------------------------------------------------


def test_every_program_has_one_line_for_installation():
    lines = console_scripts()
    assert "glite-job-get-output = clients.commands.output:main" in lines
    assert len({line.partition(" ")[0] for line in lines}) == len(lines)
    assert all(command.name == PROGRAMS[module][0] for module, command in manpage.commands().items())


def test_pages_name_every_option_of_every_command(tmp_path: Path):
    pages = {path.name: path.read_text() for path in manpage.write(tmp_path)}
    for module, command in manpage.commands().items():
        page = pages[f"{command.name}.1"].replace("\\-", "-")
        for option in (name for parameter in command.params for name in parameter.opts if name.startswith("--")):
            assert option in page
            assert f"`{option}" in pages["commands.md"] or f", {option}" in pages["commands.md"]
        for alias in PROGRAMS[module][1:]:
            assert pages[f"{alias}.1"] == f".so man1/{command.name}.1\n"


def test_no_line_of_a_page_is_a_roff_request_by_accident():
    made = click.command("x", help=".hidden\n'quoted\nback\\slash")(lambda: None)
    description = manpage.roff(made).split(".SH DESCRIPTION\n")[1].splitlines()[:3]
    assert description == ["\\&.hidden", "\\&'quoted", "back\\eslash"]
