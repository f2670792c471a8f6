"""Budgets and the breaker of a CE: no minute over the budget, nobody starved, no call while it rests, one trial."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.ce.limits import BREAKER_MOST_S, LEAST_BUDGET, WINDOW_S, Breaker, Common, Condition, Window

STEPS = st.lists(st.tuples(st.floats(0.0, 40.0), st.booleans(), st.integers(1, 5)), max_size=80)


@given(STEPS, st.integers(LEAST_BUDGET, 12))
@settings(max_examples=examples(200), deadline=None)
def test_no_minute_has_more_than_its_budget(steps: list[tuple[float, bool, int]], most: int):
    window, now, done = Window(most, most // 4), 0.0, list[float]()
    for pause, urgent, wanted in steps:
        now += pause
        number = min(wanted, window.room(urgent, now))
        window.take(urgent, now, number)
        done += [now] * number
        assert window.count(now) == len([at for at in done if at > now - WINDOW_S]) <= most
        assert (window.wait_s(urgent, now) == 0.0) == (window.room(urgent, now) > 0)


@given(STEPS, st.integers(LEAST_BUDGET, 12), st.booleans())
@settings(max_examples=examples(200), deadline=None)
def test_who_waits_as_long_as_told_is_served(steps: list[tuple[float, bool, int]], most: int, urgent: bool):
    window, now = Window(most, most // 4), 0.0
    for pause, kind, wanted in steps:
        now += pause
        window.take(kind, now, min(wanted, window.room(kind, now)))
    wait_s = window.wait_s(urgent, now)
    assert wait_s <= WINDOW_S + 1e-6
    assert window.room(urgent, now + wait_s + 1e-6)


@pytest.mark.parametrize("urgent", [True, False])
def test_neither_class_takes_all(urgent: bool):
    window = Window(8, 2)
    window.take(urgent, 0.0, window.room(urgent, 0.0))
    assert (window.room(urgent, 1.0), window.room(not urgent, 1.0)) == (0, 2)


def test_without_a_budget_there_is_always_room():
    window = Window(0)
    window.take(True, 0.0, 10_000)
    assert window.room(True, 0.0) > 10_000
    assert window.wait_s(True, 0.0) == 0.0


@given(st.lists(st.tuples(st.floats(0.0, 100.0), st.booleans(), st.floats(0.0, 0.99)), max_size=60),
       st.integers(1, 4))
@settings(max_examples=examples(200), deadline=None)
def test_the_breaker(calls: list[tuple[float, bool, float]], limit: int):
    """Against what is said of it: (pause, does the CE answer, chance), each call is made if it may be."""
    breaker, now, in_a_row, rests_until = Breaker(limit, 10.0), 1000.0, 0, 0.0
    for pause, answers, chance in calls:
        now += pause
        assert (breaker.wait_s(now) > 0.0) == (now < rests_until), "left alone as long as it rests"
        if breaker.wait_s(now):
            continue
        breaker = breaker.called()
        assert breaker.condition is (Condition.TRIED if in_a_row >= limit else Condition.ANSWERS)
        assert (breaker.wait_s(now) > 0.0) == (in_a_row >= limit), "one trial at a time"
        breaker = breaker.answered() if answers else breaker.failed(now, "away", chance)
        in_a_row = 0 if answers else in_a_row + 1
        if in_a_row >= limit:
            rest = min(BREAKER_MOST_S, 10.0 * 2.0 ** (in_a_row - limit))
            rests_until = breaker.until
            assert now + rest <= rests_until <= now + 1.5 * rest
        assert (breaker.failures, bool(breaker.since), bool(breaker.error)) == (in_a_row, in_a_row > 0, in_a_row > 0)
        assert breaker.condition is (Condition.SILENT if in_a_row >= limit else Condition.ANSWERS)


def test_a_call_from_before_it_opened_neither_prolongs_nor_hides_anything():
    silent = Breaker(1, 10.0).called().failed(100.0, "away", 0.0)
    assert silent.failed(101.0, "late", 0.0).until == silent.until
    assert silent.answered().condition is Condition.ANSWERS


def test_a_budget_is_none_or_large_enough_for_both_classes():
    assert msgspec.convert({"requests_per_minute": LEAST_BUDGET}, Common).requests_per_minute == LEAST_BUDGET
    with pytest.raises(msgspec.ValidationError, match="at least 4"):
        msgspec.convert({"requests_per_minute": 3}, Common)
