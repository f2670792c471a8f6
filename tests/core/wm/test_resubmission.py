"""Deep, shallow, or the end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm.recovery.resubmission import HOPELESS, Attempts, Deep, Fault, GiveUp, Limits, Shallow, decide

counts = st.one_of(st.none(), st.integers(-3, 12))
limits = st.builds(Limits, retry=counts, shallow_retry=counts, max_retry=st.integers(-2, 12),
                   max_shallow_retry=st.integers(-2, 12))
failures = st.lists(st.tuples(st.booleans(), st.sampled_from(Fault)), max_size=60)

THREE = Limits(retry=3, shallow_retry=3)


def after(deep: int = 0, shallow: int = 0, started: bool = True, limits: Limits = THREE) -> object:
    return decide(Attempts(deep, shallow), started, Fault.SITE, limits)


def test_a_payload_that_never_started_costs_a_shallow_retry() -> None:
    assert after(started=False) == Shallow("token still exists: retry 1 of 3")


def test_a_payload_that_started_costs_a_deep_retry() -> None:
    assert after(deep=1) == Deep("the payload had started: retry 2 of 3")


def test_without_shallow_retries_a_payload_that_never_started_costs_a_deep_one() -> None:
    for disabled in (Limits(3, -1), Limits(3, None), Limits(3, 3, max_shallow_retry=-1)):
        assert after(started=False, limits=disabled) == Deep("shallow resubmission is disabled: retry 1 of 3")


@pytest.mark.parametrize(("deep", "shallow", "started", "limits", "reason"), [
    (3, 0, True, Limits(3, 3), "hit job retry count (3): RetryCount 3, MaxRetryCount 10"),
    (0, 0, True, Limits(None, 3), "hit job retry count (0): RetryCount 0, MaxRetryCount 10"),
    (0, 0, True, Limits(-2, 3), "hit job retry count (0): RetryCount 0, MaxRetryCount 10"),
    (2, 0, True, Limits(5, 3, max_retry=2), "hit max retry count (2): RetryCount 5, MaxRetryCount 2"),
    (0, 3, False, Limits(3, 3),
     "hit job shallow retry count (3): ShallowRetryCount 3, MaxShallowRetryCount 10"),
    (0, 1, False, Limits(3, 3, max_shallow_retry=1),
     "hit shallow max retry count (1): ShallowRetryCount 3, MaxShallowRetryCount 1"),
    (0, 0, False, Limits(3, 0),
     "hit job shallow retry count (0): ShallowRetryCount 0, MaxShallowRetryCount 10"),
])
def test_the_end_names_the_limit_that_was_hit_and_both(
        deep: int, shallow: int, started: bool, limits: Limits, reason: str) -> None:
    assert after(deep, shallow, started, limits) == GiveUp(reason)


def test_used_up_shallow_retries_do_not_become_deep_ones() -> None:
    assert isinstance(after(shallow=3, started=False), GiveUp)


def test_what_another_attempt_cannot_heal_ends_the_job_with_its_own_reason() -> None:
    assert decide(Attempts(reason="proxy expired"), False, Fault.CREDENTIAL, THREE) == GiveUp("proxy expired")
    assert decide(Attempts(), False, Fault.USER, THREE) == GiveUp(
        "the failure is the user's: another attempt cannot help")


def test_a_deep_retry_starts_the_shallow_count_again() -> None:
    assert Attempts(1, 2, "lost").after(Deep("again")) == Attempts(2, 0, "lost")


def test_giving_up_counts_nothing() -> None:
    assert Attempts(1, 2).after(GiveUp("enough")) == Attempts(1, 2)


@given(limits, failures)
@settings(max_examples=200, deadline=None)
def test_counters_never_exceed_the_smaller_limit(limits: Limits, failures: list[tuple[bool, Fault]]) -> None:
    attempts = Attempts()
    for started, fault in failures:
        decision = decide(attempts, started, fault, limits)
        attempts = attempts.after(decision)
        if isinstance(decision, GiveUp):
            break
        assert fault not in HOPELESS
    assert attempts.deep <= max(min(limits.retry or 0, limits.max_retry), 0)
    assert attempts.shallow <= max(min(limits.shallow_retry or 0, limits.max_shallow_retry), 0)


@given(limits, st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_series_of_failures_ends(limits: Limits, started: bool) -> None:
    attempts = Attempts()
    for _ in range(30):
        attempts = attempts.after(decide(attempts, started, Fault.SITE, limits))
    assert isinstance(decide(attempts, started, Fault.SITE, limits), GiveUp)
