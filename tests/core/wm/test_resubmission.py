"""Deep, shallow, or the end."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.recovery.resubmission import (
    LONGEST_DELAY_S,
    Attempts,
    Deep,
    Fault,
    GiveUp,
    Judgement,
    Limits,
    Shallow,
    decide,
    delay_s,
    replanned,
)

counts = st.one_of(st.none(), st.integers(-3, 12))
limits = st.builds(Limits, retry=counts, shallow_retry=counts, max_retry=st.integers(-2, 12),
                   max_shallow_retry=st.integers(-2, 12))
judgements = st.builds(Judgement, st.sampled_from(Fault), st.booleans())
failures = st.lists(st.tuples(st.booleans(), judgements), max_size=60)
USERS, SITES = Judgement(Fault.USER, True), Judgement(Fault.SITE, True)

THREE = Limits(retry=3, shallow_retry=3)


def after(deep: int = 0, shallow: int = 0, started: bool = True, limits: Limits = THREE) -> object:
    return decide(Attempts(deep, shallow), started, USERS, limits)


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
    expired = Judgement(Fault.CREDENTIAL, False)
    assert decide(Attempts(reason="proxy expired"), False, expired, THREE) == GiveUp("proxy expired")
    assert decide(Attempts(), False, Judgement(Fault.USER, False), THREE) == GiveUp(
        "the failure is the user's: another attempt cannot help")


def test_a_deep_retry_starts_the_shallow_count_again() -> None:
    assert Attempts(1, 2, "lost").after(Deep("again")) == Attempts(2, 0, "lost")


def test_giving_up_counts_nothing() -> None:
    assert Attempts(1, 2).after(GiveUp("enough")) == Attempts(1, 2)


INFRASTRUCTURE = [Judgement(owner, True) for owner in (Fault.SITE, Fault.NETWORK, Fault.SERVICE)]


@pytest.mark.parametrize("judgement", INFRASTRUCTURE)
@pytest.mark.parametrize(("started", "limits", "free"), [
    (False, THREE, Shallow),
    (False, Limits(0, 0), Shallow),
    (False, Limits(3, -1), Deep),
    (False, Limits(0, -1), None),
    (True, THREE, Deep),
    (True, Limits(1, -1), Deep),
    (True, Limits(0, 3), None),
    (True, Limits(None, 3), None),
    (True, Limits(3, 3, max_retry=0), None),
])
def test_the_infrastructures_fault_is_free_but_a_program_that_may_run_once_runs_once(
        judgement: Judgement, started: bool, limits: Limits, free: type | None) -> None:
    for used in (Attempts(), Attempts(deep=9, shallow=9)):
        decision = decide(used, started, judgement, limits)
        if free is None:
            assert isinstance(decision, GiveUp)
            assert re.fullmatch(r"hit (job|max) retry count \(\d\): RetryCount \d, MaxRetryCount \d+", decision.reason)
        else:
            assert isinstance(decision, free)
            assert decision == free(decision.reason, free=True)
            assert decision.reason.endswith(f"lost to the {judgement.owner.value}, no retry is consumed: 1 of 20")
            assert used.after(decision) == Attempts(used.deep, used.shallow, site_faults=1)


def test_the_infrastructure_may_lose_so_many_attempts_of_a_job_and_no_more() -> None:
    last = Attempts(site_faults=19)
    assert isinstance(decide(last, False, SITES, THREE), Shallow)
    assert decide(last.after(Shallow("", free=True)), False, SITES, THREE) == GiveUp(
        "hit max number of attempts lost to the infrastructure (20)")


def test_a_job_is_moved_out_of_queues_so_many_times() -> None:
    assert replanned(Attempts(replans=1), THREE) == Shallow("job will be replanned: 2 of 5", free=True)
    assert Attempts(1, 2, replans=1).moved() == Attempts(1, 2, replans=2)
    assert replanned(Attempts(replans=5), THREE) == GiveUp("hit max number of replans (5)")


@given(limits, failures)
@settings(max_examples=examples(200), deadline=None)
def test_counters_never_exceed_the_smaller_limit(limits: Limits, failures: list[tuple[bool, Judgement]]) -> None:
    attempts = Attempts()
    for started, judgement in failures:
        decision = decide(attempts, started, judgement, limits)
        attempts = attempts.after(decision)
        if isinstance(decision, GiveUp):
            break
        assert judgement.again
        assert limits.deep_enabled or not started
    assert attempts.deep <= max(min(limits.retry or 0, limits.max_retry), 0)
    assert attempts.shallow <= max(min(limits.shallow_retry or 0, limits.max_shallow_retry), 0)
    assert attempts.site_faults <= limits.max_site_faults


@given(limits, st.booleans(), judgements)
@settings(max_examples=examples(100), deadline=None)
def test_every_series_of_failures_ends(limits: Limits, started: bool, judgement: Judgement) -> None:
    attempts = Attempts()
    for _ in range(60):
        attempts = attempts.after(decide(attempts, started, judgement, limits))
    assert isinstance(decide(attempts, started, judgement, limits), GiveUp)


@given(limits, st.lists(st.tuples(st.booleans(), st.sampled_from(INFRASTRUCTURE)), max_size=40))
@settings(max_examples=examples(100), deadline=None)
def test_faults_of_the_infrastructure_leave_the_users_retries_whole(
        limits: Limits, faults: list[tuple[bool, Judgement]]) -> None:
    attempts = Attempts(1, 1)
    for started, judgement in faults:
        decision = decide(attempts, started, judgement, limits)
        assert isinstance(decision, GiveUp) or decision.free
        attempts = attempts.after(decision)
    assert (attempts.deep, attempts.shallow) == (1, 1)


def test_the_second_attempt_is_at_once_and_the_next_ones_ever_later() -> None:
    assert [delay_s(n, 0.5) for n in (0, 1, 2, 3, 4)] == [0.0, 0.0, 10.0, 20.0, 40.0]


@given(st.integers(2, 1000), st.floats(0, 1, exclude_max=True))
def test_the_delay_is_bounded_and_spread(failures: int, chance: float) -> None:
    middle = delay_s(failures, 0.5)
    assert 5.0 <= delay_s(failures, chance) <= 1.5 * LONGEST_DELAY_S
    assert 0.5 * middle <= delay_s(failures, chance) <= 1.5 * middle
