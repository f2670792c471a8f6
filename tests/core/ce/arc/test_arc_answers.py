"""What an A-REX answers about jobs, as recorded from ARC 6.17, and whatever else comes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings

from tests.examples import examples
from wms.ce import CeState, Phase, Usage
from wms.ce.arc import answers
from wms.ce.arc.answers import Activity, Item, activity, ended, items
from wms.errors import Unavailable

RECORDED: dict[str, Any] = msgspec.json.decode((Path(__file__).parent / "recorded" / "answers.json").read_bytes())
NOTHING = Activity("", "", None, (), "", None)


def bare(state: str) -> Activity:
    return Activity("", state, None, (), "", None)


def body(name: str) -> bytes:
    return msgspec.json.encode(RECORDED[name])


def about(name: str) -> Activity:
    (item,) = items(body(name))
    return activity(item)


def test_one_job_comes_without_a_list_and_several_with_one() -> None:
    assert [(item.id, item.state, item.unknown) for item in items(body("one"))] == [("PGPODmmj", "ACCEPTED", False)]
    assert [(item.id, item.unknown) for item in items(body("two"))] == [("PGPODmmj", False), ("nonexistent", True)]
    assert items(b"") == answers.listed(b"  \n") == answers.delegations(b"") == []
    assert answers.listed(body("two")) == ["PGPODmmj", "nonexistent"]


def test_what_is_refused_has_a_code_and_a_reason() -> None:
    assert [(item.code, item.reason) for item in items(body("new"))] == [
        (201, "Created"), (500, "Requested queue nosuch is not allowed for this user")]


def test_delegations_are_listed_in_both_forms() -> None:
    assert answers.delegations(b'{"delegation":{"id":"a"}}') == ["a"]
    assert answers.delegations(b'{"delegation":[{"id":"a"},{"id":"b"},"odd"]}') == ["a", "b"]


def test_a_document_tells_name_state_end_and_accounts() -> None:
    assert about("accepted") == Activity("wms.0123456789.tok-1", "ACCEPTED", None, (), "", None)
    assert about("unknown") == NOTHING
    assert about("failed").usage == Usage(20.0, 7.0, 2048)


def test_the_wrappers_own_exit_status_speaks_for_itself() -> None:
    assert ended("t", "h", about("failed"), False) == CeState(
        "t", Phase.ENDED, "h", 3, "vm", "", Usage(20.0, 7.0, 2048))
    slurm = Activity("", "FAILED", 3, ("LRMS error: (3) Job failed",), "n1", None)
    assert ended("t", "h", slurm, False) == CeState("t", Phase.ENDED, "h", 3, "n1")
    for told, status in (("3", 3), ("255", 255), ("265", 137)):
        lost = Activity("", "FAILED", None, (f"LRMS error: ({told}) Job failed",), "n1", None)
        assert ended("t", "h", lost, False) == CeState("t", Phase.ENDED, "h", status, "n1")
    assert ended("t", "h", bare("FINISHED"), False) == CeState("t", Phase.ENDED, "h", 0)


def test_a_job_that_was_cancelled_has_no_status() -> None:
    assert ended("t", "h", about("killed"), True).reason == "cancelled"
    assert ended("t", "h", about("killed"), False).reason.startswith("Job is canceled by external request; ")
    assert ended("t", "h", bare("KILLED"), False).reason == "cancelled at the CE"
    assert ended("t", "h", about("killed"), False).exit_status is None


def test_other_ends_keep_the_words_of_the_ce() -> None:
    lost = Activity("", "FAILED", -1, ("LRMS error: (-1) Job died unexpectedly",), "n1", None)
    assert ended("t", "h", lost, False) == CeState(
        "t", Phase.ENDED, "h", None, "n1", "LRMS error: (-1) Job died unexpectedly")
    assert ended("t", "h", bare("FAILED"), False).reason == "failed at the CE, which does not say why"


def test_every_state_of_the_interface_is_in_the_table() -> None:
    states = ["ACCEPTING", "ACCEPTED", "PREPARING", "PREPARED", "SUBMITTING", "QUEUING", "RUNNING", "HELD",
              "EXITINGLRMS", "OTHER", "EXECUTED", "FINISHING", "FINISHED", "FAILED", "KILLING", "KILLED", "WIPED",
              "None"]
    assert set(answers.PHASES) == set(states)
    assert {state for state, phase in answers.PHASES.items() if phase is Phase.ENDED} == answers.ENDED
    assert all(answers.PHASES[state] is Phase.QUEUED for state in answers.BEFORE_START)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'"x"', b"\xff\xfe", b"{"])
def test_what_is_no_answer_is_a_ce_that_is_away(content: bytes) -> None:
    with pytest.raises(Unavailable):
        items(content)


anything = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8),
                        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
                            st.sampled_from(["job", "id", "state", "status-code", "info_document", "ComputingActivity",
                                             "State", "Error", "ExitCode", "UsedMainMemory", "delegation"]),
                            inner, max_size=4), max_leaves=12)


@settings(max_examples=examples(300), deadline=None)
@given(anything)
def test_any_json_is_read_or_refused(value: Any) -> None:
    content = msgspec.json.encode({"job": value, "delegation": value})
    answers.delegations(content)
    for item in items(content):
        assert isinstance(item, Item)
        assert ended("t", "h", activity(item), False).phase is Phase.ENDED


def test_a_list_of_texts_gives_the_first() -> None:
    assert answers.text({"a": [1, " x ", "y"]}, "a") == "x"
    assert answers.text({"a": [1]}, "a") == answers.text({}, "a") == ""
