"""All that one matching cycle goes by, as a value that can be kept: the same inputs give the same outcome. Pure.

Beside the snapshot and the jobs that stand for their classes, which are kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from wm.matching.board import Board
from wm.matching.cycle import MOST, Outcome, Told, cycle
from wm.matching.fits import Fit
from wm.matching.request import Request
from wm.ordering.order import Lane
from wm.ordering.quotas import Held, Room
from wm.ordering.shares import Running, Shares, Use, Who
from wm.supply.supermarket import Snapshot

NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide: quotas, weights of VOs, half-life of use (s)."""

    quotas: Mapping[str, int] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    half_life_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class Inputs:
    """`held` are placed jobs, `past` is decayed use, `claims` are jobs by CE that its word does not know yet.

    `aside` and `trials` are CEs by class. `seed` makes all chance; `turn` is the number of the last turn.
    """

    lanes: tuple[Lane, ...]
    now: float
    seed: int = 0
    held: tuple[Held, ...] = ()
    running: Mapping[Who, Running] = field(default_factory=dict)
    past: Mapping[Who, Use] = field(default_factory=dict)
    claims: Mapping[str, int] = field(default_factory=dict)
    aside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    trials: Mapping[str, frozenset[str]] = field(default_factory=dict)
    turn: int = 0
    most: int = MOST

    @property
    def id(self) -> str:
        """What the decision is called that is made with these."""
        return f"{int(self.now):x}-{self.seed:016x}"


class Decision(NamedTuple):
    """A cycle: `requests` stand for the lanes, by id; `news`: jobs were placed, or wait for something new."""

    inputs: Inputs
    requests: Mapping[str, Request]
    snapshot: Snapshot
    outcome: Outcome
    news: bool = True


def decide(inputs: Inputs, rules: Rules, board: Board, fits: Callable[[Lane], Fit]) -> Outcome:
    """One cycle."""
    shares = Shares(inputs.past, inputs.running, inputs.now, weights=rules.weights, half_life_s=rules.half_life_s)
    told = Told(Room(rules.quotas, inputs.held), shares, inputs.claims,
                lambda cls: inputs.aside.get(cls, NOBODY), lambda cls: inputs.trials.get(cls, NOBODY))
    return cycle(inputs.lanes, fits, board, told, inputs.now, Random(inputs.seed), most=inputs.most,
                 turn=inputs.turn)
