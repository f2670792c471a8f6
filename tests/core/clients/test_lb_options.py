"""What the tools of the bookkeeping make of their options and of the environment."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import bookkeeping, figures, notifying, querying, registering, transfers, upkeep
from clients.errors import ArgumentMissing, ArgumentWrong, BadInputFile, FileUnreadable, NoJobId
from tests.examples import examples
from wms.errors import ConfigError
from wms.event import Source
from wms.jobid import JobId
from wms.operations.notifications import Asked
from wms.seqcode import SequenceCode

JOB = JobId.parse("https://lb.example:9000/job")


# -- the environment -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("environment", "found"), [
    ({}, ""), ({"EDG_WL_X": "c"}, "c"), ({"EDG_WL_X": "c", "GLITE_LB_X": "b"}, "b"),
    ({"EDG_WL_X": "c", "GLITE_LB_X": "b", "GLITE_WMS_X": "a"}, "a"), ({"EDG_WL_X": "c", "GLITE_WMS_X": ""}, "c")])
def test_the_newest_name_of_a_variable_counts(environment: dict[str, str], found: str):
    assert bookkeeping.variable(environment, "X") == found


def test_time_limits():
    assert bookkeeping.seconds({}, "T", 90.0) == 90.0
    assert bookkeeping.seconds({"GLITE_WMS_T": "0.5"}, "T", 90.0) == 0.5
    assert bookkeeping.seconds({"EDG_WL_T": "9999"}, "T", 90.0) == 1800.0
    for bad in ("soon", "-1", "1e3", "٣", "1."):
        with pytest.raises(ConfigError, match="T must be a number of seconds"):
            bookkeeping.seconds({"EDG_WL_T": bad}, "T", 90.0)


def test_limits(monkeypatch: pytest.MonkeyPatch):
    assert (bookkeeping.limit("L"), bookkeeping.limit("L", 5), bookkeeping.limit("L", 0)) == (0, 5, 0)
    monkeypatch.setenv("EDG_WL_L", "7")
    assert (bookkeeping.limit("L"), bookkeeping.limit("L", 5), bookkeeping.limit("L", 0)) == (7, 5, 0)
    monkeypatch.setenv("GLITE_WMS_L", "many")
    with pytest.raises(ConfigError, match="not 'many'"):
        bookkeeping.limit("L")


@pytest.mark.parametrize(("given", "environment", "policy"), [
    (None, {}, "limited"), ("none", {"GLITE_WMS_QUERY_RESULTS": "all"}, "none"),
    (None, {"GLITE_WMS_QUERY_RESULTS": "ALL"}, "all"), (None, {"EDG_WL_QUERY_RESULTS": "None"}, "none")])
def test_what_is_wanted_beyond_the_limit(given: str | None, environment: dict[str, str], policy: str):
    assert querying.policy(given, environment) == policy


def test_no_such_policy():
    with pytest.raises(ArgumentWrong, match="not 'some'"):
        querying.policy(None, {"EDG_WL_QUERY_RESULTS": "some"})


# -- queries ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("lines", "jobs", "events"), [
    ("a = 1\nb = 2\n", "a = 1\nb = 2\n", ""), ("a = 1\n\ntime > 3\n", "a = 1\n", "time > 3\n"),
    ("\n\na = 1\n \t\nb = 2\n\nc = 3", "a = 1\n", "b = 2\n\nc = 3"), ("", "", ""), ("a = 1", "a = 1", "")])
def test_an_empty_line_ends_the_conditions_on_jobs(lines: str, jobs: str, events: str):
    assert querying.in_two(lines) == (jobs, events)


def test_files_of_conditions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "good").write_text("owner = x\n")
    (tmp_path / "bad").write_bytes(b"\xff")
    assert querying.read(str(tmp_path / "good")) == "owner = x\n"
    for name, why in (("bad", "not UTF-8"), ("none", "No such file"), ("", "Is a directory")):
        with pytest.raises(FileUnreadable, match=why):
            querying.read(str(tmp_path / name))
    monkeypatch.setattr("sys.stdin", io.StringIO("status = done\n"))
    assert querying.read("-") == "status = done\n"


# -- notifications ---------------------------------------------------------------------------------------


def test_conditions_are_groups_of_alternatives():
    found = notifying.conditions({"jobid": ("a", "b"), "owner": (), "status": ["Done"]}, ["status"])
    assert found == ((Asked("jobid", "=", "a"), Asked("jobid", "=", "b")), (Asked("status", "=", "Done"),),
                     (Asked("status", "changed"),))
    assert notifying.of_jdl(Asked("vo", "=", "x")) == Asked("jdl", "=", "x", name="VirtualOrganisation")
    with pytest.raises(ArgumentMissing, match="Say which jobs"):
        notifying.conditions({"jobid": ()})


@pytest.mark.parametrize(("id", "unique"), [
    ("https://lb:9000/NOTIF:x", "x"), ("NOTIF:x", "x"), ("x", "x"), ("https://lb:9000/x", "x")])
def test_the_part_of_an_identifier_that_counts(id: str, unique: str):
    assert notifying.unique(id) == unique


@pytest.mark.parametrize("id", ["", "https://lb:9000/", "https://lb:9000/NOTIF:"])
def test_no_identifier(id: str):
    with pytest.raises(ArgumentWrong, match="no identifier of a notification"):
        notifying.unique(id)


# -- upkeep ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "seconds"), [
    ("", -1), ("-1", -1), ("-2", -2), ("0", 0), ("90", 90), ("90s", 90), ("2m", 120), ("3h", 10_800), ("4d", 345_600)])
def test_ages(text: str, seconds: float):
    assert upkeep.age(text) == seconds


@settings(max_examples=examples(200), deadline=None)
@given(st.text(alphabet="0123456789smhdxX-. ", min_size=1, max_size=12))
def test_other_ages_are_refused(text: str):
    number = text.rstrip("smhd")
    if text in ("-1", "-2") or (number.isdecimal() and len(number) < 10 and len(text) - len(number) < 2):
        assert upkeep.age(text) >= -2
    else:
        with pytest.raises(ArgumentWrong, match="is no age"):
            upkeep.age(text)


def test_what_to_purge(tmp_path: Path):
    file = tmp_path / "ids"
    file.write_text("###Submitted Job Ids###\n\n https://lb.example/job \n")
    found = upkeep.purge_request({"done_s": "2d", "other_s": ""}, str(file), target="1h", really=True)
    assert (found.jobs, found.done_s, found.other_s, found.target_s, found.really) == (
        (str(JOB),), 172_800.0, -1.0, 3600.0, True)
    assert upkeep.purge_request({}, "", target="").target_s == 0.0


@pytest.mark.parametrize(("text", "error", "why"), [
    ("# none\n", NoJobId, "no identifier"), (f"{JOB}\nx y\n", BadInputFile, "line 2")])
def test_files_of_identifiers_that_are_none(tmp_path: Path, text: str, error: type[Exception], why: str):
    (tmp_path / "ids").write_text(text)
    with pytest.raises(error, match=why):
        upkeep.purge_request({}, str(tmp_path / "ids"), target="")


@pytest.mark.parametrize("target", ["-1", "-2", "x"])
def test_lengths_of_time_that_are_none(target: str):
    with pytest.raises(ArgumentWrong):
        upkeep.purge_request({}, "", target=target)


# -- figures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("words", "states"), [
    (("Running",), [("Running",)]), (("5",), [("Running",)]), (("6", "0"), [("Done OK",)]),
    (("Done", "failed"), [("Done FAILED",)]), (("1", "5"), [("Submitted", "Running")]),
    (("5", "6", "1"), [("Running", "Done FAILED")]), (("Done OK",), [("Done OK",)]), (("99",), [("99",)])])
def test_states_by_name_and_number(words: tuple[str, ...], states: list[tuple[str, ...]]):
    assert figures.questions(words) == states


def test_questions_about_all_states_and_too_many():
    assert figures.questions(()) == [(state,) for state in figures.RATES]
    with pytest.raises(ArgumentWrong, match="At most two"):
        figures.questions(("1", "2", "3"))


@pytest.mark.parametrize(("states", "dwell", "query"), [
    (("Running",), False, {"kind": "rate", "state": "Running"}),
    (("Running",), True, {"kind": "dwell", "state": "Running"}),
    (("Running", "Done OK"), False, {"kind": "duration", "from_state": "Running", "to_state": "Done OK"})])
def test_parameters_of_a_question(states: tuple[str, ...], dwell: bool, query: dict[str, Any]):
    assert figures.query("ALL", states, dwell=dwell, seconds=None) == {**query, "destination": "ALL"}
    assert "since" in figures.query("ALL", states, dwell=dwell, seconds=5)


# -- registrations ---------------------------------------------------------------------------------------


def test_sources_by_name_in_any_case():
    assert registering.source("lrms") is Source.LRMS
    with pytest.raises(ArgumentWrong, match="no source 'x'") as error:
        registering.source("x")
    assert "UserInterface" in error.value.hint


def test_only_what_is_known_is_in_a_registration():
    plain = registering.registration(JOB, registering.Wanted("SIMPLE", Source.USER_INTERFACE))
    assert (plain.fields, plain.priority, plain.user) == ({"ns": "NS", "jobtype": "SIMPLE"}, 0, "")
    full = registering.registration(JOB, registering.Wanted(
        "COLLECTION", Source.NETWORK_SERVER, 2, "s", "[]", "https://lb.example:9000/p", "/CN=a", exclusive=True))
    assert full.fields == {"ns": "NS", "jobtype": "COLLECTION", "jdl": "[]", "seed": "s", "nsubjobs": 2,
                           "parent": "https://lb.example:9000/p"}
    assert (full.priority, full.user, SequenceCode.parse(full.seqcode).ns) == (registering.EXCLUSIVE, "/CN=a", 1)


@pytest.mark.parametrize(("parts", "jobtype"), [(0, "FILE_TRANSFER"), (3, "FILE_TRANSFER_COLLECTION")])
def test_a_transfer_is_told_in_order(parts: int, jobtype: str):
    id = JobId(JOB.host, JOB.port, "FT:x")
    wanted = transfers.Transfer("INPUT", "a", "b", Source.LRMS, parts)
    first, moved, connected = transfers.of_transfer(id, JOB, wanted)
    assert (first.fields["jobtype"], moved.fields["src"], connected.fields["compute_job"]) == (jobtype, "a", str(JOB))
    assert [SequenceCode.parse(event.seqcode).lrms for event in (first, moved, connected)] == [1, 2, 3]
    assert [event.job for event in transfers.of_parts(id, JOB, wanted)] == [
        str(id.subjob(None, index)) for index in range(parts)]
