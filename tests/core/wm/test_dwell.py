"""Looks at placed jobs, and the end of those that wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm.recovery.dwell import Life, Look, Patience, Step, look, over
from wms.faults import Fault, judge

PATIENCE = Patience(queued_s=3600.0, attempt_s=100_000.0)


@pytest.mark.parametrize(("movable", "now", "expected"), [
    (True, 1000.0, Look(Step.WAIT, 4600.0)),
    (True, 4599.0, Look(Step.WAIT, 4600.0)),
    (True, 4600.0, Look(Step.MOVE, 8200.0)),
    (True, 100_000.0, Look(Step.MOVE, 101_000.0)),
    (False, 4600.0, Look(Step.WAIT, 101_000.0)),
    (False, 101_000.0, Look(Step.LOST, 201_000.0)),
    (True, 101_000.0, Look(Step.LOST, 201_000.0)),
])
def test_a_placed_job_is_moved_when_it_is_stuck_and_given_up_when_it_can_report_no_more(
        movable: bool, now: float, expected: Look) -> None:
    assert look(1000.0, movable, now, PATIENCE) == expected


def test_where_no_job_is_moved_nobody_looks_early() -> None:
    assert look(1000.0, True, 9000.0, Patience(0.0, 100_000.0)) == Look(Step.WAIT, 101_000.0)


@given(st.floats(0, 1e6), st.booleans(), st.floats(0, 1e6),
       st.one_of(st.just(0.0), st.floats(1, 1e5)), st.floats(1, 1e6))
def test_the_next_look_is_always_to_come(placed: float, movable: bool, later: float, queued: float,
                                         attempt: float) -> None:
    now = placed + later
    found = look(placed, movable, now, Patience(queued, attempt))
    assert found.due > now


PROXY = "proxy expired: it ended at 1970-01-01T00:01:40Z and could not be renewed"
TOKEN = "token expired: it ended at 1970-01-01T00:01:40Z and was not renewed"


@pytest.mark.parametrize(("life", "now", "reason"), [
    (Life(100.0, 100.0), 50.0, ""), (Life(100.0, 100.0), 100.0, PROXY), (Life(100.0, 100.0), 199.0, PROXY),
    (Life(100.0, 100.0), 200.0, "request expired"), (Life(100.0, 150.0, True, "token"), 149.0, ""),
    (Life(100.0, 150.0, True, "token"), 150.0, TOKEN)])
def test_a_waiting_job_ends_with_its_time_or_its_credential(life: Life, now: float, reason: str) -> None:
    assert over(200.0, life, now) == reason
    assert not reason.startswith(("proxy", "token")) or judge(reason).owner is Fault.CREDENTIAL
