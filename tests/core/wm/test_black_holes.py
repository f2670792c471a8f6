"""Set aside after fast failures in a row, tried by one job after a rest, back after a success."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.recovery.black_holes import LONGEST_REST_S, Memory, Rules, Standing, failed, placed

RULES = Rules(failures=3, fast_s=300.0, rest_s=900.0)
FAST, SLOW = 5.0, 300.0


def series(times: int, *, lasted_s: float = FAST, now: float = 1000.0) -> Memory:
    memory = Memory()
    for n in range(times):
        memory = failed(memory, f"j{n}", lasted_s, now, RULES)
    return memory


def test_fewer_failures_than_the_limit_set_nothing_aside() -> None:
    assert series(2) == Memory(2, 1000.0)
    assert series(2).standing(1e9) is Standing.USED


def test_so_many_fast_failures_in_a_row_set_it_aside_for_the_rest() -> None:
    memory = series(3)
    assert memory == Memory(3, 1000.0, 1900.0)
    assert [memory.standing(t) for t in (1000.0, 1899.9, 1900.0)] == [Standing.ASIDE, Standing.ASIDE, Standing.TRIAL]


def test_slow_failures_do_not_count() -> None:
    assert series(10, lasted_s=SLOW) == Memory()


def test_failures_of_those_that_were_on_their_way_do_not_prolong_the_rest() -> None:
    assert failed(series(3), "late", FAST, 1500.0, RULES) == Memory(4, 1500.0, 1900.0)


def test_one_job_tries_it_and_the_next_only_after_another_rest() -> None:
    memory = placed(series(3), "brave", 2000.0, RULES)
    assert memory == Memory(3, 2000.0, 2900.0, 0, "brave")
    assert memory.standing(2000.0) is Standing.ASIDE
    assert placed(memory, "second", 2001.0, RULES) == memory
    assert memory.standing(2900.0) is Standing.TRIAL


def test_a_trial_in_vain_doubles_the_rest_however_long_it_lasted() -> None:
    memory = placed(series(3), "brave", 2000.0, RULES)
    for lasted_s in (FAST, SLOW):
        assert failed(memory, "brave", lasted_s, 2100.0, RULES) == Memory(4, 2100.0, 2100.0 + 1800.0, 1)


def test_a_job_sent_to_one_in_use_is_no_trial() -> None:
    assert placed(series(2), "j", 2000.0, RULES) == series(2)


@given(st.lists(st.floats(0, 200), max_size=60))
@settings(max_examples=examples(100), deadline=None)
def test_the_rests_double_and_are_bounded(pauses: list[float]) -> None:
    memory, rests = series(3), []
    for pause in pauses:
        now = memory.aside_until + pause
        assert memory.standing(now) is Standing.TRIAL
        memory = failed(placed(memory, "j", now, RULES), "j", FAST, now + 1, RULES)
        assert memory.standing(now + 1) is Standing.ASIDE
        rests.append(memory.aside_until - now - 1)
    assert all(abs(b - min(2 * a, LONGEST_REST_S)) < 1e-3 for a, b in pairwise(rests))


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 600), st.booleans()), max_size=80))
@settings(max_examples=examples(200), deadline=None)
def test_no_more_jobs_than_the_limit_are_lost_to_a_hole_before_it_rests(
        steps: list[tuple[str, float, bool]]) -> None:
    """One at a time, whatever fails how fast: what is not set aside has fewer fast failures than the limit."""
    memory, now = Memory(), 0.0
    for job, lasted_s, trial in steps:
        now += 1.0
        if trial:
            now = max(now, memory.aside_until)
        memory = failed(placed(memory, job, now, RULES), job, lasted_s, now, RULES)
        assert memory.standing(now) is not Standing.USED or memory.failures < RULES.failures
        assert memory.aside_until <= now + RULES.rest(memory.trials)
