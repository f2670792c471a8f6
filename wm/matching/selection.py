"""Which of the ranked CEs gets the job: the best, chance among equals, or a draw by weight (FuzzyRank).

Not the ranking itself. Chance is an argument.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import atan, fsum, pi
from typing import Protocol, TypeVar


class Ranked(Protocol):
    @property
    def rank(self) -> float: ...


class Chance(Protocol):
    """A source of uniform numbers in [0, 1): `random.Random` is one."""

    def random(self) -> float: ...


R = TypeVar("R", bound=Ranked)


def select(ranked: Sequence[R], rng: Chance, fuzzy: bool = False, factor: float = 1.0) -> R:
    """One of `ranked`, which is not empty and in any order; `factor` sharpens the fuzzy draw."""
    return _draw(ranked, weights([one.rank for one in ranked], factor), rng) if fuzzy else _best(ranked, rng)


def weights(ranks: Sequence[float], factor: float = 1.0) -> list[float]:
    """The weight of each rank in a fuzzy draw: atan((rank - mean) * factor) + pi/2, in (0, pi)."""
    mean = fsum(ranks) / len(ranks)
    return [atan((rank - mean) * factor) + pi / 2 for rank in ranks]


def _best(ranked: Sequence[R], rng: Chance) -> R:
    highest = max(one.rank for one in ranked)
    equals = [one for one in ranked if one.rank == highest]
    return equals[int(rng.random() * len(equals))]


def _draw(ranked: Sequence[R], weight: Sequence[float], rng: Chance) -> R:
    steps = list(accumulate(weight))
    place = bisect_right(steps, rng.random() * steps[-1])
    return ranked[min(place, len(ranked) - 1)]
