"""When credentials are renewed."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyrenewal.schedule import POLICY, Due, Expired, after_failure, after_success, next_renewal

NOW = 1_800_000_000.0
STEADY = replace(POLICY, jitter=0.0)
LIVES = st.integers(-1000, 100 * 86400)
RNGS = st.integers(0, 2**32).map(random.Random)


@pytest.mark.parametrize(("life", "wait"), [
    (86400, 86400 - 9000),            # a quarter of ten hours before the end
    (9001, 1),
    (9000, 0),
    (8000, 8000 - 2100 - 6900 / 4),   # shorter: the part above the limit shrinks until it fits
    (3825, 0),
    (3000, 3000 - 2100 - 6900 / 16),
    (2100, 0),                        # the limit: now
    (1, 0),
])
def test_a_renewal_is_due_as_the_table_says(life: float, wait: float):
    due = next_renewal(NOW + life, NOW, random.Random(1), STEADY)
    assert isinstance(due, Due)
    assert due.at - NOW == pytest.approx(wait)


@settings(max_examples=100, deadline=None)
@given(LIVES, RNGS)
def test_a_renewal_is_due_in_time_and_jitter_is_a_tenth(life: int, rng: random.Random):
    due, steady = next_renewal(NOW + life, NOW, rng), next_renewal(NOW + life, NOW, rng, STEADY)
    if life <= 0:
        assert isinstance(due, Expired)
        return
    assert isinstance(due, Due)
    assert isinstance(steady, Due)
    assert NOW <= due.at <= max(NOW, NOW + life - POLICY.limit_s)
    assert abs(due.at - steady.at) <= 0.1 * (steady.at - NOW) + 1e-3


@settings(max_examples=100, deadline=None)
@given(st.one_of(LIVES, st.integers(1, 10000)), RNGS)
def test_a_renewed_credential_is_never_renewed_again_at_once(life: int, rng: random.Random):
    due = after_success(NOW + life, NOW, rng)
    if life <= 0:
        assert isinstance(due, Expired)
    else:
        assert isinstance(due, Due)
        assert NOW + min(life, 60) <= due.at <= NOW + life


def test_a_renewed_credential_waits_as_any_other():
    usual = next_renewal(NOW + 43200, NOW, random.Random(3))
    assert after_success(NOW + 43200, NOW, random.Random(3)) == usual
    assert after_success(NOW + 2000, NOW, random.Random(3)) == Due(
        NOW + 300, "the renewed credential lasts only 33 min")


def test_credentials_made_together_are_not_renewed_together():
    rng = random.Random(7)
    times = {next_renewal(NOW + 43200, NOW, rng) for _ in range(100)}
    assert len(times) == 100


@pytest.mark.parametrize(("failures", "wait"), [
    (1, 300), (2, 600), (3, 1200), (4, 2400), (5, 3600), (500, 3600)])
def test_failures_are_tried_again_ever_later(failures: int, wait: float):
    due = after_failure(NOW + 86400, failures, NOW, random.Random(1), STEADY)
    assert isinstance(due, Due)
    assert due.at == NOW + wait


@settings(max_examples=100, deadline=None)
@given(st.floats(1, 5 * 86400), st.integers(1, 20), RNGS)
def test_the_last_35_minutes_see_an_attempt(life: float, failures: int, rng: random.Random):
    end, now, attempts = NOW + life, NOW, [NOW]
    while isinstance(due := after_failure(end, failures, now, rng), Due):
        assert due.at > now
        attempts.append(due.at)
        now, failures = due.at, failures + 1
    assert any(end - 2100 <= at < end for at in attempts)
    assert now == end
    assert len(attempts) < 200


def test_attempts_become_denser_as_the_end_approaches():
    due = after_failure(NOW + 400, 9, NOW, random.Random(1), STEADY)
    assert due == Due(NOW + 200, "renewal failed 9 times, 7 min remain")


def test_what_has_expired_is_forgotten():
    assert after_failure(NOW - 120, 1, NOW, random.Random(1)) == Expired("the credential expired 2 min ago")
    assert next_renewal(NOW, NOW, random.Random(1)) == Expired("the credential expired 0 min ago")
