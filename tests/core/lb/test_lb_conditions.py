"""Conditions: what they match, which are refused, and that a group is one look-up or many comparisons alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.queries.condition_values import Asked
from lb.queries.conditions import (
    EVENT_ATTRIBUTES,
    EVENTS,
    JOB_ATTRIBUTES,
    JOBS,
    MAX_CONDITIONS,
    MAX_GROUPS,
    Condition,
    Operator,
    Table,
    attribute,
    condition,
    grouped,
    matches,
    matches_event,
)
from tests.examples import examples
from wms.errors import Refused
from wms.event import Event
from wms.jobstatus import DoneCode, JobState, JobStatus, JobType

ASKED = Asked("/DC=org/CN=Jane", 1_000_000.0)
JOB = "https://lb.example:9000/abc"
STATUS = JobStatus(
    state=JobState.DONE, job_id=JOB, owner="/DC=org/CN=Jane/Email=j@example", jobtype=JobType.SIMPLE,
    parent_job="https://lb.example:9000/parent", location="none", destination="ce/long",
    done_code=DoneCode.FAILED, exit_code=3, user_tags={"step": "2"}, state_enter_times={"Running": 500.0},
    state_enter_time=600.0, last_update_time=700.0, resubmitted=True, network_server="ns.example ",
    jdl='[ VirtualOrganisation = "cms"; RetryCount = 1 + 2; Fast = true; Odd = undefined; L = { 1, "a" } ]',
    extra={"vm_state": "RUNNING"})
EVENT = Event("Chkpt", JOB, "Application", "x", 800.0, "host.example", level="WARNING", instance="i1",
              fields={"tag": "t1", "classad": "[]"})


def one(text: str, value: object = "", value2: object = "", name: str = "", table: Table = JOBS) -> Condition:
    name_, sign = text.split(" ")
    return condition(table, name_, sign, value, value2, name, asked=ASKED)


def holds(*args: Any, **more: Any) -> bool:
    return matches(((one(*args, **more),),), STATUS)


@pytest.mark.parametrize(("text", "value", "name", "expected"), [
    ("jobid =", "https://LB.example/abc?tail", "", True),
    ("jobid <>", JOB, "", False),
    ("parent_job =", JOB, "", False),
    ("parent <>", JOB, "", True),
    ("owner =", "/DC=org/CN=Jane/emailAddress=j@example", "", True),
    ("owner =", None, "", False),
    ("status =", "done", "", True),
    ("state <", "Done", "", False),
    ("status <", "Cleared", "", True),
    ("status >", "Running", "", True),
    ("location =", "none", "", True),
    ("destination <>", "ce/long", "", False),
    ("donecode =", "failed", "", True),
    ("done_code =", 1, "", True),
    ("done_code >", 0, "", True),
    ("exitcode =", "3", "", True),
    ("exit_code <", -1, "", False),
    ("usertag =", "2", "Step", True),
    ("usertag >", "10", "step", True),
    ("usertag =", "2", "other", False),
    ("usertag <>", "2", "other", True),
    ("usertag <", "2", "other", False),
    ("time >", 400, "running", True),
    ("time <", 400, "running", False),
    ("time <", 400, "Done", False),
    ("stateentertime <", "last999000", "", True),
    ("lastupdatetime =", 700.0, "", True),
    ("last_update_time >", "past1000", "", False),
    ("last_update_time <", "1970-01-02T00:00:00", "", True),
    ("last_update_time <", "1970-01-01T00:00:00+00:00", "", False),
    ("resubmitted =", True, "", True),
    ("resubmitted <>", "yes", "", False),
    ("resubmitted =", False, "", False),
    ("jdl =", "cms", "virtualorganisation", True),
    ("jdl_attr =", "3", "RetryCount", True),
    ("jdl_attr =", "true", "Fast", True),
    ("jdl_attr =", '{ 1, "a" }', "l", True),
    ("jdl_attr =", "x", "Odd", False),
    ("jdl_attr <>", "x", "Nothing", True),
    ("jobtype =", "simple", "", True),
    ("networkserver =", "ns.example", "", True),
    ("vm_status =", "running", "", True),
])
def test_what_a_condition_says_of_a_job(text: str, value: object, name: str, expected: bool) -> None:
    assert holds(text, value, name=name) is expected


def test_the_owner_that_is_not_given_is_the_caller() -> None:
    for nobody in ("", "NULL", None, " "):
        assert one("owner =", nobody).value == ASKED.caller


def test_an_interval_is_closed() -> None:
    assert [holds("exit_code within", low, high) for low, high in ((3, 3), (0, 3), (3, 9), (4, 9), (0, 2), (9, 0))] == [
        True, True, True, False, False, False]
    assert holds("status @", "Running", "Done")
    assert not holds("usertag within", "", "zzz", name="other")


def test_a_change_needs_two_states() -> None:
    changed = grouped([[one("status ->")]], changes=True)
    before = JobStatus(state=JobState.RUNNING)
    assert matches(changed, STATUS, before)
    assert matches(changed, STATUS)
    assert not matches(changed, STATUS, STATUS)
    with pytest.raises(Refused, match="notification"):
        grouped([[one("status changed")]])


@pytest.mark.parametrize(("text", "value", "expected"), [
    ("time =", 800, True), ("timestamp <", 800, False), ("level <", "SYSTEM", True), ("level >", "error", True),
    ("host =", "host.example", True), ("source =", "application", True), ("instance <>", "i1", False),
    ("type =", "chkpt", True), ("event_type <>", "Done", True), ("chkpt_tag =", "t1", True),
    ("chkpttag =", "t2", False)])
def test_what_a_condition_says_of_an_event(text: str, value: object, expected: bool) -> None:
    assert matches_event(((one(text, value, table=EVENTS),),), EVENT) is expected


def test_other_events_have_no_checkpoint() -> None:
    running = Event("Running", JOB, "LRMS", "x", 1.0, "h", fields={"node": "t1"})
    assert not matches_event(((one("chkpt_tag =", "t1", table=EVENTS),),), running)


def test_groups_are_anded_and_alternatives_ored() -> None:
    done, waiting = one("status =", "Done"), one("status =", "Waiting")
    small, large = one("exit_code <", 2), one("exit_code >", 2)
    assert matches(((done, waiting), (small, large)), STATUS)
    assert not matches(((waiting,), (small, large)), STATUS)
    assert matches((), STATUS)


@pytest.mark.parametrize(("text", "value", "name"), [
    ("nothing =", "", ""), ("host =", "", ""), ("status ~", "Done", ""), ("owner <", "x", ""), ("status =", "Lost", ""),
    ("exit_code =", "1.5", ""), ("exit_code =", "9" * 19, ""), ("exit_code =", "9" * 30, ""), ("exit_code =", "", ""),
    ("done_code =", "Perhaps", ""), ("last_update_time =", "soon", ""), ("last_update_time <", "9" * 12, ""),
    ("last_update_time <", "0001-01-01", ""), ("last_update_time <", float("nan"), ""),
    ("resubmitted =", "perhaps", ""), ("jobid =", "abc", ""), ("usertag =", "1", ""), ("usertag =", "1", "x" * 300),
    ("time <", 1, ""), ("time <", 1, "Nowhere"), ("jdl =", "x", ""), ("owner =", "x", "name"),
    ("owner =", "x" * 5000, ""), ("owner =", "\0", ""), ("location =", "\ud800", ""), ("location =", ["x"], ""),
    ("job_type =", "", ""), ("vm_status =", "x", ""), ("status ->", "", "name"), ("location changed", "", "")])
def test_what_makes_no_sense_is_refused(text: str, value: object, name: str) -> None:
    with pytest.raises(Refused):
        one(text, value, name=name)


@pytest.mark.parametrize(("text", "value"), [
    ("level =", "LOUD"), ("source =", "Sun"), ("event_type =", "Nothing"), ("type <", "Done"), ("owner =", "")])
def test_what_makes_no_sense_of_events_is_refused(text: str, value: str) -> None:
    with pytest.raises(Refused):
        one(text, value, table=EVENTS)


def test_a_group_is_about_one_attribute() -> None:
    for pair in ([one("status =", "Done"), one("owner =", "x")],
                 [one("usertag =", "1", name="a"), one("usertag =", "1", name="b")],
                 [one("time <", 1, name="Done"), one("time <", 1, name="Running")],
                 [one("jdl =", 1, name="a"), one("jdl =", 1, name="b")], []):
        with pytest.raises(Refused, match="group 1"):
            grouped([pair])
    same = grouped([[one("jdl =", 1, name="Ab"), one("jdl =", 2, name="aB")]])
    assert len(same[0]) == 2


def test_sizes_are_bounded() -> None:
    done = one("status =", "Done")
    assert len(grouped([[done]] * MAX_GROUPS)) == MAX_GROUPS
    for groups in ([[done]] * (MAX_GROUPS + 1), [[done] * (MAX_CONDITIONS + 1)]):
        with pytest.raises(Refused, match="at most"):
            grouped(groups)


@pytest.mark.parametrize(("table", "rows"), [(JOBS, JOB_ATTRIBUTES), (EVENTS, EVENT_ATTRIBUTES)])
def test_names_of_attributes_are_unique(table: Table, rows: Sequence[Any]) -> None:
    names = [name for row in rows for name in (row.name, *row.aliases)]
    assert sorted(names) == sorted(table)
    assert all(attribute(table, name.upper()).name in names for name in names)


def test_an_unreadable_description_has_no_attributes() -> None:
    broken = JobStatus(jdl="[ vo = ")
    assert not matches(((one("jdl =", "x", name="vo"),),), broken)
    long = JobStatus(jdl=f'[ Arguments = "{"x" * 30_000}"; vo = "cms" ]')
    assert matches(((one("jdl =", "cms", name="vo"),),), long)


numbers = st.integers(-3, 3)
alternatives = st.lists(st.tuples(st.sampled_from(["=", "<>", "<", ">", "within"]), numbers, numbers), min_size=1)


@settings(max_examples=examples(200), deadline=None)
@given(alternatives, numbers)
def test_a_group_holds_if_one_alternative_does(pairs: list[tuple[str, int, int]], code: int) -> None:
    group = tuple(one(f"exit_code {sign}", low, high) for sign, low, high in pairs)
    status = JobStatus(exit_code=code)
    assert matches((group,), status) == any(
        {"=": code == low, "<>": code != low, "<": code < low, ">": code > low, "within": low <= code <= high}[sign]
        for sign, low, high in pairs)


def test_operators_are_spelled_in_several_ways() -> None:
    assert [one(f"exit_code {sign}", 1, 2).operator for sign in ("!=", "><", "==", "@", "WITHIN")] == [
        Operator.UNEQUAL, Operator.UNEQUAL, Operator.EQUAL, Operator.WITHIN, Operator.WITHIN]
