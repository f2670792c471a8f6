"""Names of files: what they are called in the job, and which of them are refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import SandboxPathRefused
from wms.sandbox import (
    base_name,
    check_name,
    has_wildcard,
    input_problems,
    local_path,
    name_problem,
    output_name_problem,
    output_problems,
    program_problem,
    repeated,
)


@pytest.mark.parametrize(
    ("entry", "name", "path"),
    [
        ("a.sh", "a.sh", "a.sh"),
        ("/tmp/d/a.sh", "a.sh", "/tmp/d/a.sh"),
        ("$HOME/a b", "a b", "$HOME/a b"),
        ("file:///x/a", "a", "/x/a"),
        ("file://host/x/a", "a", "/x/a"),
        ("file://a", "a", "/a"),
        ("gsiftp://h:2811/d/f", "f", "gsiftp://h:2811/d/f"),
        ("https://h/d/f?q=/x", "f", "https://h/d/f?q=/x"),
        ("d/", "", "d/"),
        ("a?b", "a?b", "a?b"),
    ],
)
def test_an_entry_has_a_name_and_a_path(entry, name, path):
    assert (base_name(entry), local_path(entry)) == (name, path)


def test_repeated_names_are_found_once():
    assert repeated(["b", "a", "b", "a", "b", "c"]) == ["b", "a"]


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("a", False),
        ("..a", False),
        ("è b", False),
        ("", True),
        (".", True),
        ("..", True),
        ("a/b", True),
        ("a\nb", True),
        ("\x7f", True),
        ("x" * 255, False),
        ("è" * 128, True),
    ],
)
def test_names_of_a_flat_directory(name, wrong):
    assert (name_problem(name) is not None) is wrong


@pytest.mark.parametrize(
    ("entries", "count"),
    [
        (["a", "d/b", "file:///c"], 0),
        (["d/a", "e/a"], 1),
        (["*.dat", "d/*.dat"], 0),
        (["http://h/x"], 1),
        (["a\0b"], 1),
        (["d/"], 1),
        (["d/.."], 1),
    ],
)
def test_input_sandboxes(entries, count):
    assert len(input_problems(entries)) == count


def test_input_sandboxes_with_names_of_their_own_or_remote_files():
    assert input_problems(["d/a", "e/a"], names=["a", "b"]) == []
    assert len(input_problems(["d/a", "e/b"], names=["a", "a"])) == 1
    assert input_problems(["gsiftp://h/a"], remote=True) == []


@pytest.mark.parametrize(
    ("entry", "wrong"),
    [
        ("out", False),
        ("d/out", False),
        ("./out", False),
        ("*.root", False),
        ("/out", True),
        ("../out", True),
        ("d/../../out", True),
        ("gsiftp://h/out", True),
        ("file:///out", True),
        ("d/", True),
        ("o\tut", True),
        ("d\n/out", True),
        ("..out", False),
    ],
)
def test_output_names_stay_in_the_job(entry, wrong):
    assert (output_name_problem(entry) is not None) is wrong
    assert bool(output_problems([entry])) is wrong


def test_output_names_are_unique():
    assert len(output_problems(["a", "d/a", "*", "*"])) == 1


@pytest.mark.parametrize(
    ("path", "wrong"),
    [
        ("run.sh", False),
        ("./run.sh", False),
        ("x.dat", False),
        ("/bin/ls", False),
        ("$VO_DIR/bin/x", False),
        ("${VO_DIR}/x", False),
        ("other.sh", True),
        ("d/run.sh", True),
        ("", True),
        ("/bin/ls;rm", True),
        ("$(id)/x", True),
        ("/a\nb", True),
        ("/a b", False),
        ("/a*", True),
    ],
)
def test_programs_are_in_the_sandbox_or_on_the_node(path, wrong):
    assert (program_problem(path, ["run.sh", "*.dat"]) is not None) is wrong


@given(st.text(max_size=20))
@settings(max_examples=examples(300), deadline=None)
def test_an_accepted_output_name_never_leaves_the_directory(entry):
    if output_name_problem(entry) is None:
        depth = 0
        for part in entry.split("/"):
            depth += {"": 0, ".": 0, "..": -1}.get(part, 1)
            assert depth >= 0
        assert not entry.startswith("/")
        assert has_wildcard(entry) == any(char in entry for char in "*?[]{}")


def test_a_plain_name_is_itself() -> None:
    assert check_name("a b.txt") == "a b.txt"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../etc/passwd", "a\0b", "a\nb", "x" * 256])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(SandboxPathRefused):
        check_name(name)
