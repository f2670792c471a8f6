"""Ages of jobs that may go, and the pace of a purge."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.upkeep.purge_rules import DEFAULT, NEVER, SHARE, SPECIAL, Ages, limits, pause, resolved
from wms.errors import Refused
from wms.jobstatus import JobState

OWN = Ages(1.0, 2.0, 3.0, 4.0, 5.0)


def test_what_is_not_asked_for_is_the_servers() -> None:
    assert resolved(Ages(), OWN) == OWN
    assert resolved(Ages(0.0, NEVER, DEFAULT, 9.0), OWN) == Ages(0.0, NEVER, 3.0, 9.0, 5.0)


@pytest.mark.parametrize("wrong", [-3.0, -0.1, float("nan"), float("inf")])
def test_what_is_no_age_is_named(wrong: float) -> None:
    with pytest.raises(Refused, match="done_s"):
        resolved(Ages(done=wrong), OWN)


def test_limits_are_by_state() -> None:
    states = JobState.CLEARED, JobState.ABORTED, JobState.CANCELLED, JobState.DONE
    assert list(SPECIAL) == [state.code for state in states]
    assert limits(OWN, 10.0) == (dict(zip(SPECIAL, (9.0, 8.0, 7.0, 6.0), strict=True)), 5.0, 9.0)


def test_never_has_no_limit() -> None:
    assert limits(Ages(NEVER, NEVER, NEVER, 4.0, NEVER), 10.0) == ({JobState.DONE.code: 6.0}, None, 6.0)
    assert limits(Ages(*[NEVER] * 5), 10.0) == ({}, None, None)


NUMBERS = st.integers(0, 10**6)


@given(st.integers(0, 10**6), NUMBERS, NUMBERS, st.floats(-1e6, 1e6))
def test_a_purge_takes_its_share_of_the_time_and_no_more(took: int, portion: int, left: int, left_s: float) -> None:
    rest = pause(took, portion, left, left_s)
    assert rest >= 0
    assert took <= SHARE * (took + rest) * (1 + 1e-9)


def test_a_purge_is_spread_over_its_time() -> None:
    assert pause(1.0, 10, 90, 1000.0) == 99.0
    assert pause(1.0, 10, 0, 10.0) == 9.0
    assert pause(1.0, 10, 90, 0.0) == 1.0
