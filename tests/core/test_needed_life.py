"""How long a credential has to live for a job that first waits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.faults import Fault, judge
from wms.lifetime import LONGEST_WAIT_S, response_s, too_short

SECONDS = st.floats(0, 1e7)


@given(SECONDS, SECONDS, SECONDS)
def test_it_is_too_short_exactly_when_it_ends_first_and_the_owner_is_to_blame(
        left: float, needed: float, wait: float) -> None:
    found = too_short(left, needed, wait)
    assert bool(found) == (left < wait + needed)
    assert not found or judge(found).owner is Fault.CREDENTIAL


def test_both_figures_are_told() -> None:
    assert too_short(1800, 7200) == (
        "credential too short: it ends in 0.50 h and cannot be renewed, but the job may need 2.00 h")
    assert too_short(1800, 1800, 900).endswith("but the job may need 0.50 h after 0.25 h in the queue")


@pytest.mark.parametrize(("estimated", "seconds"), [
    (60, 60.0), (0.5, 0.5), (0, 0.0), (-1, 0.0), (LONGEST_WAIT_S, 0.0), (2146660842, 0.0), ("60", 0.0), (None, 0.0),
    (LONGEST_WAIT_S - 1, LONGEST_WAIT_S - 1)])
def test_what_a_ce_says_of_the_wait_counts_if_it_says_something(estimated: object, seconds: float) -> None:
    assert response_s(estimated) == seconds
