"""Choosing among ranked CEs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import pi
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.matching.selection import select, weights

ranks = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=20)


@dataclass(frozen=True)
class Candidate:
    name: str
    rank: float


def candidates(*values: float) -> list[Candidate]:
    return [Candidate(f"ce{number}", value) for number, value in enumerate(values)]


def drawn(values: list[float], times: int, **how: object) -> Counter[str]:
    rng = Random(20)
    return Counter(select(candidates(*values), rng, **how).name for _ in range(times))  # type: ignore[arg-type]


def chi_square(seen: Counter[str], weight: list[float]) -> float:
    total = sum(seen.values())
    expected = [total * one / sum(weight) for one in weight]
    return sum((seen[f"ce{number}"] - want) ** 2 / want for number, want in enumerate(expected))


def test_the_best_rank_wins() -> None:
    assert drawn([1.0, 7.0, 3.0], 50) == {"ce1": 50}


def test_equals_share_evenly() -> None:
    assert chi_square(drawn([5.0, 5.0, 5.0], 9_000), [1, 1, 1]) < 13.8  # p = 0.001, two degrees of freedom


def test_the_lesser_gets_nothing_when_equals_share() -> None:
    assert set(drawn([5.0, 4.9, 5.0], 500)) == {"ce0", "ce2"}


@pytest.mark.parametrize("factor", [0.1, 1.0, 5.0])
def test_fuzzy_draws_follow_the_weights(factor: float) -> None:
    values = [-2.0, 0.0, 3.0]
    assert chi_square(drawn(values, 10_000, fuzzy=True, factor=factor), weights(values, factor)) < 13.8


def test_the_weight_of_the_mean_is_half_pi() -> None:
    assert weights([1.0, 2.0, 3.0])[1] == pytest.approx(pi / 2)


@given(ranks, st.floats(-1e6, 1e6), st.booleans(), st.floats(0, 1, exclude_max=True))
@settings(max_examples=examples(200), deadline=None)
def test_one_of_the_candidates_is_chosen_whatever_the_numbers(
        values: list[float], factor: float, fuzzy: bool, chance: float) -> None:
    class Fixed:
        def random(self) -> float:
            return chance

    assert select(candidates(*values), Fixed(), fuzzy, factor) in candidates(*values)


@given(ranks)
@settings(max_examples=examples(100), deadline=None)
def test_without_fuzziness_nothing_beats_the_chosen(values: list[float]) -> None:
    assert select(candidates(*values), Random(1)).rank == max(values)


@given(ranks)
@settings(max_examples=examples(100), deadline=None)
def test_a_better_rank_never_weighs_less(values: list[float]) -> None:
    ordered = weights(sorted(values))
    assert ordered == sorted(ordered)
