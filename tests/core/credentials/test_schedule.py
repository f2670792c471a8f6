"""When credentials are renewed, tried again, warned of and given up."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxyrenewal.schedule import (
    HOPELESS,
    POLICY,
    Life,
    Milestones,
    Next,
    Step,
    after_failure,
    after_success,
    first_attempt,
    is_over,
    is_warning_due,
    milestones,
    next_word,
    step,
)
from tests.examples import examples

NOW = 1_800_000_000.0
STEADY = replace(POLICY, jitter=0.0)
KINDS = st.sampled_from(["certificate", "token"])
LENGTHS = st.one_of(st.integers(300, 12000), st.integers(300, 10 * 86400))
RNGS = st.integers(0, 2**32).map(random.Random)


def proxy(length: float, failures: int = 0, warned: float = 0.0) -> Life:
    return Life("certificate", NOW, NOW + length, failures, warned)


def token(length: float, failures: int = 0, warned: float = 0.0) -> Life:
    return Life("token", NOW, NOW + length, failures, warned)


@pytest.mark.parametrize(("length", "first"), [
    (86400, 86400 - 9000),            # a quarter of ten hours before the end
    (9001, 1),
    (9000, 0),
    (8000, 8000 - 2100 - 6900 / 4),   # shorter: the part above the limit shrinks until it fits
    (3825, 0),
    (3000, 3000 - 2100 - 6900 / 16),
    (2100, 0),                        # the limit: now
    (1, 0),
    (-5, -5),
])
def test_a_proxy_is_renewed_when_the_table_says(length: float, first: float):
    found = milestones(proxy(length)).first
    assert found - NOW == pytest.approx(first)
    assert first_attempt(proxy(length), NOW, random.Random(1), STEADY) == max(NOW, found)


@pytest.mark.parametrize(("length", "first"), [
    (6 * 3600, 3 * 3600),  # half of its life
    (3600, 1800),
    (1800, 900),
    (1200, 300),           # a job needs a quarter of an hour of it
    (900, 225),            # but a quarter of it is used
])
def test_a_token_is_renewed_when_half_of_it_is_over_or_too_little_for_a_job(length: float, first: float):
    assert milestones(token(length)).first - NOW == first


@pytest.mark.parametrize(("life", "half", "last"), [
    (proxy(43200), 4500, 2100), (proxy(9000), 4500, 2100), (proxy(3000), 2531.25 / 2, 2531.25 / 4),
    (proxy(600), 300, 150), (token(21600), 5400, 2100), (token(3600), 900, 450), (token(900), 337.5, 168.75)])
def test_the_owner_is_told_when_half_of_the_margin_is_left_and_at_the_limit(life: Life, half: float, last: float):
    assert milestones(life) == Milestones(milestones(life).first, life.ends - half, life.ends - last)


@settings(max_examples=examples(200), deadline=None)
@given(KINDS, LENGTHS)
def test_milestones_are_in_order_and_the_last_is_in_the_last_35_minutes(kind: str, length: int):
    life = Life(kind, NOW, NOW + length)
    first, half, last = milestones(life)
    assert NOW <= first < half < last < life.ends
    assert last >= life.ends - 2100


@settings(max_examples=examples(200), deadline=None)
@given(KINDS, LENGTHS, RNGS, st.floats(0, 1.2))
def test_jitter_is_a_tenth_and_never_reaches_the_warning(kind: str, length: int, rng: random.Random, over: float):
    life, now = Life(kind, NOW, NOW + length), NOW + over * length
    at, first, half = first_attempt(life, now, rng), milestones(life).first, milestones(life).half
    assert at >= now
    assert abs(at - max(now, first)) <= 0.1 * max(first - now, 0) + 1e-3
    assert at <= max(now, (first + half) / 2 + 1e-3)


def test_credentials_made_together_are_not_renewed_together():
    for length in (3600, 43200, 20 * 86400):
        rng = random.Random(7)
        times = sorted(first_attempt(proxy(length), NOW, rng) for _ in range(1000))
        assert max(later - earlier for earlier, later in pairwise(times)) < (times[-1] - times[0]) / 20
        assert len(set(times)) == 1000


@settings(max_examples=examples(200), deadline=None)
@given(KINDS, st.one_of(LENGTHS, st.integers(1, 300)), RNGS)
def test_a_renewed_credential_is_never_renewed_again_at_once(kind: str, length: int, rng: random.Random):
    life = Life(kind, NOW, NOW + length)
    at = after_success(life, NOW, rng)
    assert NOW + min(length, 60) <= at <= life.ends


def test_a_renewed_credential_waits_as_any_other():
    assert after_success(proxy(43200), NOW, random.Random(3)) == first_attempt(proxy(43200), NOW, random.Random(3))
    assert after_success(proxy(2000), NOW, random.Random(3)) == NOW + 300


@pytest.mark.parametrize(("failures", "wait"), [(1, 300), (2, 600), (3, 1200), (4, 2400), (5, 3600), (500, 3600)])
def test_failures_are_tried_again_ever_later(failures: int, wait: float):
    assert after_failure(proxy(86400, failures), NOW, random.Random(1), STEADY) == Next(NOW + wait, False)


def test_attempts_become_denser_as_the_end_approaches():
    life = proxy(43200, failures=9)
    assert after_failure(life, life.ends - 2000, random.Random(1), STEADY).at == life.ends - 1000
    assert after_failure(life, life.ends - 400, random.Random(1), STEADY).at == life.ends - 200
    assert after_failure(life, life.ends - 90, random.Random(1), STEADY).at == life.ends - 30
    assert after_failure(life, life.ends - 20, random.Random(1), STEADY).at == life.ends


def history(life: Life, rng: random.Random) -> tuple[list[float], list[float], float]:
    """Of a credential whose server never answers: attempts, warnings, and when it is given up."""
    now, attempts, warnings = first_attempt(life, life.begins, rng), list[float](), list[float]()
    while (todo := step(life, now)) != Step.END:
        if todo is Step.RENEW:
            attempts.append(now)
            life = life._replace(failures=life.failures + 1)
            if is_over(life, now):
                break
            at, warn = after_failure(life, now, rng)
            assert warn or not is_warning_due(life, now)
        else:
            assert todo is Step.WAIT
            at, warn = next_word(life, now), False
        if warn:
            warnings.append(now)
            life = life._replace(warned=now)
        assert at > now
        now = at
    return attempts, warnings, now


@settings(max_examples=examples(200), deadline=None)
@given(KINDS, LENGTHS, RNGS)
def test_a_credential_that_cannot_be_renewed_is_tried_and_told_of_until_its_end(
        kind: str, length: int, rng: random.Random):
    life = Life(kind, NOW, NOW + length)
    _, half, last = milestones(life)
    attempts, warnings, over = history(life, rng)
    pauses = [later - earlier for earlier, later in pairwise(attempts) if later < life.ends]
    assert all(59.99 <= pause <= 3600 * 1.1 for pause in pauses), "no busy loop, and never long"
    assert any(life.ends - 2100 <= at < life.ends for at in attempts), "the last 35 minutes see an attempt"
    assert len(attempts) < 40 + length / 3000, "retries are bounded"
    assert len(warnings) == 2 or length < 900, "of a very short one the two may be one"
    assert half <= warnings[0] <= half + 60
    assert length < 900 or last <= warnings[-1] <= last + 60
    assert over >= life.ends + 60
    assert over <= life.ends + 120


@given(st.integers(1, 300), RNGS)
def test_of_a_very_short_one_the_owner_is_told_before_its_end(length: int, rng: random.Random):
    """However late the first attempt is."""
    life, now = proxy(length), NOW + rng.uniform(0, length * 0.99)
    warnings = []
    while now < life.ends:
        life = life._replace(failures=life.failures + 1)
        at, warn = after_failure(life, now, rng)
        if warn:
            warnings.append(now)
            life = life._replace(warned=now)
        now = at
    assert 1 <= len(warnings) <= 3


@settings(max_examples=examples(100), deadline=None)
@given(LENGTHS, RNGS, st.floats(0.0, 0.99))
def test_one_that_nobody_can_renew_is_told_of_at_once_and_at_the_limit(length: int, rng: random.Random, over: float):
    life, now, warnings = proxy(length, HOPELESS), NOW + over * length, list[float]()
    last = milestones(life).last
    while step(life, now) is not Step.END:
        assert step(life, now) is (Step.WARN if is_warning_due(life, now) else Step.WAIT)
        at, warn = after_failure(life, now, rng)
        if warn:
            warnings.append(now)
            life = life._replace(warned=now)
        assert at > now
        now = at
    assert warnings == sorted({NOW + over * length, max(last, NOW + over * length)})
    assert now == life.ends + 60


def test_after_its_end_only_a_token_is_tried():
    assert step(proxy(600), NOW + 600) is Step.WAIT
    assert step(proxy(600), NOW + 659) is Step.WAIT
    assert step(proxy(600), NOW + 660) is Step.END
    assert step(token(600), NOW + 6600) is Step.RENEW
    assert step(token(600, HOPELESS), NOW + 6600) is Step.END
    assert after_failure(token(600, 3), NOW + 610, random.Random(1)) == Next(NOW + 660, False)
    assert is_over(token(600, 3), NOW + 660)
    assert not is_over(token(600, 3), NOW + 659)
    assert not is_warning_due(proxy(600, 1), NOW + 601)
