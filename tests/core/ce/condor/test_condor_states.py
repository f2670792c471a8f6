"""What events and job ads say of a job: the two tables, and that they agree."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.ce import CeState, Phase, Usage
from wms.ce.condor.events import Event, Kind
from wms.ce.condor.states import Seen, is_half_submitted, is_leaving, moved, of_ad, of_seen


def event(kind: Kind, at: float = 0.0, **facts: Any) -> Event:
    return Event(kind=kind, cluster=1, proc=0, seconds=at, **facts)


def after(*events: Event, wall_limit_s: int = 0) -> CeState:
    seen = Seen()
    for one in events:
        seen = moved(seen, one)
    return of_seen("t", "1.0", seen, wall_limit_s)


SUBMIT, RUNS = event(Kind.SUBMIT), event(Kind.EXECUTE, 100.0, node="slot1_2@wn1.example.org")
POLICY = "The job attribute PeriodicRemove expression '...' evaluated to TRUE"


@pytest.mark.parametrize(("events", "state"), [
    ([SUBMIT], CeState("t", Phase.QUEUED, "1.0")),
    ([SUBMIT, RUNS], CeState("t", Phase.RUNNING, "1.0", node="wn1.example.org")),
    ([event(Kind.EXECUTE, node="<192.0.2.7:9618?noUDP>")], CeState("t", Phase.RUNNING, "1.0", node="192.0.2.7")),
    ([SUBMIT, RUNS, event(Kind.SUSPENDED)],
     CeState("t", Phase.RUNNING, "1.0", node="wn1.example.org", reason="suspended by HTCondor")),
    ([SUBMIT, RUNS, event(Kind.SUSPENDED), event(Kind.UNSUSPENDED)],
     CeState("t", Phase.RUNNING, "1.0", node="wn1.example.org")),
    ([SUBMIT, RUNS, event(Kind.DISCONNECTED, reason="gone", node="slot1@wn2")],
     CeState("t", Phase.RUNNING, "1.0", node="wn2", reason="gone")),
    ([SUBMIT, RUNS, event(Kind.RECONNECT_FAILED, reason="too long")],
     CeState("t", Phase.QUEUED, "1.0", node="wn1.example.org", reason="lost contact with the worker node: too long")),
    ([SUBMIT, RUNS, event(Kind.EVICTED)], CeState("t", Phase.QUEUED, "1.0", node="wn1.example.org", reason="evicted")),
    ([SUBMIT, event(Kind.HELD, reason="No such file", code=13, subcode=2)],
     CeState("t", Phase.HELD, "1.0", reason="No such file (job was held, code 13, subcode 2)")),
    ([SUBMIT, event(Kind.HELD)],
     CeState("t", Phase.HELD, "1.0", reason="no reason given (job was held, code 0, subcode 0)")),
    ([SUBMIT, event(Kind.HELD, reason="Spooling input data files", code=16)],
     CeState("t", Phase.QUEUED, "1.0", reason="Spooling input data files")),
    ([SUBMIT, event(Kind.EXECUTABLE_ERROR, reason="(0) Job file not executable.")],
     CeState("t", Phase.QUEUED, "1.0", reason="(0) Job file not executable.")),
    ([SUBMIT, event(Kind.CLUSTER_SUBMIT), event(Kind.STAGE_IN)], CeState("t", Phase.QUEUED, "1.0")),
    ([SUBMIT, RUNS, event(Kind.IMAGE_SIZE, rss_kb=7), event(Kind.IMAGE_SIZE, rss_kb=5),
      event(Kind.TERMINATED, 160.0, exit_code=3, cpu_s=5.0), RUNS],
     CeState("t", Phase.ENDED, "1.0", 3, "wn1.example.org", usage=Usage(60.0, 5.0, 7))),
    ([event(Kind.TERMINATED, 160.0, signal=9)], CeState("t", Phase.ENDED, "1.0", 137, usage=Usage())),
    ([SUBMIT, event(Kind.ABORTED, 5.0)], CeState("t", Phase.ENDED, "1.0", reason="removed at the CE", usage=Usage())),
    ([SUBMIT, RUNS, event(Kind.ABORTED, 105.0, reason="via condor_rm (by user x)")],
     CeState("t", Phase.ENDED, "1.0", None, "wn1.example.org", "removed at the CE: via condor_rm (by user x)",
             Usage(5.0))),
    ([SUBMIT, RUNS, event(Kind.EVICTED, reason="drained"), event(Kind.ABORTED, reason=POLICY)],
     CeState("t", Phase.ENDED, "1.0", None, "wn1.example.org", "evicted: drained, and not started a second time",
             Usage())),
])
def test_what_events_say(events: list[Event], state: CeState) -> None:
    assert after(*events) == state


def test_the_limit_that_ended_a_job_is_named() -> None:
    events = SUBMIT, RUNS, event(Kind.ABORTED, 170.0, reason=POLICY)
    assert after(*events, wall_limit_s=60).reason == "wall time limit of 60 s exceeded"
    assert after(*events, wall_limit_s=600).reason == POLICY


@settings(max_examples=examples(200), deadline=None)
@given(st.lists(st.builds(event, st.sampled_from(Kind), st.floats(0, 1e9), reason=st.text(max_size=5)), max_size=12))
def test_an_end_is_final(events: list[Event]) -> None:
    ends = [n for n, one in enumerate(events) if one.kind in (Kind.TERMINATED, Kind.ABORTED)]
    state = after(*events)
    assert (state.phase is Phase.ENDED) == bool(ends)
    if ends:
        assert state == after(*events[:ends[0] + 1])


# -- ads ---------------------------------------------------------------------------------------------------


def ad(status: Any, **more: Any) -> CeState:
    return of_ad("t", "1.0", {"JobStatus": status, **more})


def old(status: int, **more: Any) -> CeState:
    return of_ad("t", "1.0", {"JobStatus": status, **more}, gone=True)


@pytest.mark.parametrize(("status", "phase"), [
    (1, Phase.QUEUED), (2, Phase.RUNNING), (3, Phase.QUEUED), (4, Phase.ENDED), (5, Phase.HELD), (6, Phase.RUNNING),
    (7, Phase.RUNNING), (99, Phase.QUEUED), ("/Expr(x)/", Phase.QUEUED),
])
def test_the_numbers_of_states(status: Any, phase: Phase) -> None:
    assert ad(status).phase is phase


def test_a_job_that_is_being_removed_may_still_run() -> None:
    assert ad(3, NumJobStarts=1, RemoteHost="slot1@wn1").phase is Phase.RUNNING
    assert old(3, NumJobStarts=1).phase is Phase.ENDED


def test_ends_in_the_queue_and_in_the_history() -> None:
    done = {"ExitBySignal": False, "ExitCode": 3, "LastRemoteHost": "slot1@wn1", "RemoteWallClockTime": 7.5,
            "RemoteUserCpu": 1.5, "RemoteSysCpu": 1, "ResidentSetSize": 9}
    assert ad(4, **done) == old(4, **done) == CeState("t", Phase.ENDED, "1.0", 3, "wn1", "", Usage(7.5, 2.5, 9))
    assert ad(4, ExitBySignal=True, ExitSignal=15).exit_status == 143
    assert ad(4).exit_status is None


def test_holds() -> None:
    held = {"HoldReason": "Disk quota exceeded", "HoldReasonCode": 34, "HoldReasonSubCode": 104}
    assert ad(5, **held).reason == "Disk quota exceeded (job was held, code 34, subcode 104)"
    assert ad(5, HoldReasonCode=16).phase is Phase.QUEUED
    assert (old(5, HoldReasonCode=16).phase, old(5, **held).phase) == (Phase.ENDED, Phase.ENDED)
    assert ad(7).reason == "suspended by HTCondor"


@pytest.mark.parametrize(("more", "reason"), [
    ({}, POLICY),
    ({"WmsWallSeconds": 60, "RemoteWallClockTime": 61.0}, "wall time limit of 60 s exceeded"),
    ({"WmsCpuSeconds": 60, "RemoteUserCpu": 50.0, "RemoteSysCpu": 11.0}, "CPU time limit of 60 s exceeded"),
    ({"NumJobStarts": 1, "LastRemoteHost": "slot1@wn1"}, "evicted from wn1, and not started a second time"),
    ({"NumJobStarts": 1}, "evicted from its worker node, and not started a second time"),
])
def test_removals_by_our_own_expression(more: dict[str, Any], reason: str) -> None:
    assert old(3, RemoveReason=POLICY, **more).reason == reason


def test_other_removals_are_in_htcondors_words() -> None:
    assert old(3, RemoveReason="via condor_rm").reason == "removed at the CE: via condor_rm"
    assert old(3).reason == "removed at the CE"


def test_what_is_left_of_a_submission() -> None:
    assert is_half_submitted({"JobStatus": 5, "HoldReasonCode": 16})
    assert not is_half_submitted({"JobStatus": 5, "HoldReasonCode": 1})
    assert is_leaving({"JobStatus": 3})
