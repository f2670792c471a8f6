"""One matching cycle: which lanes get how many jobs placed where, and why the others wait. Pure.

Eager lanes go to their best CEs at once, lazy ones to CEs with a free slot; both in one order, within quotas.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from wm.matching.board import Board
from wm.matching.fits import Best, Fit
from wm.matching.selection import Chance, select
from wm.ordering.order import PATIENCE, Lane, Party, Queue, by_patience, party
from wm.ordering.quotas import Room
from wm.ordering.shares import Shares

CHUNK = 64
"""Jobs of an eager lane that go in one turn where no CE has a quota."""
MOST = 2_000
"""Jobs placed by one cycle; what is left is for the next."""


class Why(StrEnum):
    """What a lane waits for."""

    MATCH = "no match"
    RANK = "no rank"
    ASIDE = "set aside"
    QUOTA = "quota"
    SLOT = "no slot"
    TURN = "its turn"


class Cause(NamedTuple):
    """Why a lane waits: `detail` names the quota, `ces` are how many CEs match."""

    why: Why
    ces: int = 0
    detail: str = ""


class Placement(NamedTuple):
    lane: str
    ce: str
    jobs: int


@dataclass(frozen=True, slots=True)
class Told:
    """What the cycle goes by beside lanes and CEs. `room` and `shares` are used up by it.

    `claims`: jobs by CE that were placed there since its word on free slots. `aside` and `trials` give the
    CEs to which no job of a class may go, and those to which one may.
    """

    room: Room
    shares: Shares
    claims: Mapping[str, int] = field(default_factory=dict)
    aside: Callable[[str], frozenset[str]] = lambda _cls: frozenset()
    trials: Callable[[str], frozenset[str]] = lambda _cls: frozenset()


@dataclass(frozen=True, slots=True)
class Outcome:
    """`turn` counts turns ever since; `served` are the lanes that had one, and its number."""

    placements: tuple[Placement, ...]
    waits: Mapping[str, Cause]
    served: Mapping[str, int]
    turn: int


def cycle(lanes: Sequence[Lane], fits: Callable[[Lane], Fit], board: Board, told: Told, now: float, rng: Chance, *,
          most: int = MOST, turn: int = 0) -> Outcome:
    """Place up to `most` jobs."""
    return _Cycle(lanes, fits, board, told, now, rng, turn).run(most)


class _Waiting:
    """A lane during a cycle."""

    __slots__ = ("aside", "fit", "lane", "left", "mask", "rank", "trials")

    def __init__(self, lane: Lane, fit: Fit, mask: int, aside: int, trials: int) -> None:
        self.lane = lane
        self.fit = fit
        self.left = lane.waiting
        self.mask = mask
        self.aside = aside
        self.trials = trials
        self.rank = float("inf")

    def __lt__(self, other: _Waiting) -> bool:
        """The better fit, then the older."""
        return (-self.rank, self.lane.head, self.lane.id) < (-other.rank, other.lane.head, other.lane.id)


class _Cycle:
    def __init__(self, lanes: Sequence[Lane], fits: Callable[[Lane], Fit], board: Board, told: Told, now: float,
                 rng: Chance, turn: int) -> None:
        self._board, self._told, self._now, self._rng, self._turn = board, told, now, rng, turn
        self._lanes = lanes
        self._claims = dict(told.claims)
        self._free = board.open & ~board.mask(id for id, jobs in self._claims.items() if self._taken(id, jobs))
        self._full = board.mask(told.room.full)
        if (only := told.room.only) is not None:
            self._full |= board.present & ~board.mask(only)
        self._placed: dict[tuple[str, str], int] = {}
        self._served: dict[str, int] = {}
        self._waits: dict[str, Cause] = {}
        self._waiting = {lane.id: self._enter(lane, fits(lane)) for lane in lanes}
        self._parties: dict[Party, list[_Waiting]] = {}
        self._patient: Iterator[Lane] | None = None

    def _taken(self, ce: str, jobs: int) -> bool:
        return ce in self._board.places and jobs >= self._board.slots[self._board.places[ce]]

    def _enter(self, lane: Lane, fit: Fit) -> _Waiting:
        aside, trials = self._told.aside(lane.cls), self._told.trials(lane.cls)
        return _Waiting(lane, fit, fit.mask(self._now), self._board.mask(aside) if aside else 0,
                        self._board.mask(trials) if trials else 0)

    # -- turns -------------------------------------------------------------------------------------------

    def run(self, most: int) -> Outcome:
        ready = [one for one in self._waiting.values() if one.left and self._candidates(one)]
        for one in ready:
            self._parties.setdefault(party(one.lane), []).append(one)
        for those in self._parties.values():
            heapify(those)
        queue = Queue((one.lane for one in ready), self._told.shares)
        while most > 0 and (key := queue.next()) is not None:
            taken = self._patiently() if self._turn % PATIENCE == PATIENCE - 1 else 0
            taken = taken or self._party(key, most)
            if taken:
                most -= taken
            else:
                queue.done(key)
        placements = tuple(Placement(lane, ce, jobs) for (lane, ce), jobs in self._placed.items())
        return Outcome(placements, self._causes(), self._served, self._turn)

    def _party(self, key: Party, most: int) -> int:
        """One turn of the best of a party: jobs placed."""
        those = self._parties[key]
        while those:
            first = those[0]
            best = self._best(first) if first.left else None
            if best is None:
                heappop(those)
            elif first.lane.lazy and best.rank < first.rank:
                first.rank = best.rank
                heapreplace(those, first)
            else:
                return self._serve(first, best, most)
        return 0

    def _patiently(self) -> int:
        """One job of the lane that waits longest for a turn."""
        if self._patient is None:
            self._patient = by_patience(self._lanes)
        for lane in self._patient:
            one = self._waiting[lane.id]
            if one.left and lane.id not in self._served and (best := self._best(one)):
                return self._serve(one, best, 1)
        return 0

    def _candidates(self, one: _Waiting) -> int:
        """Where the lane could go now, quotas of VO and user aside."""
        if self._told.room.of(one.lane.vo, one.lane.owner)[0] < 1:
            return 0
        mask = one.mask & ~one.aside & ~self._full
        return mask & self._free if one.lane.lazy else mask

    def _best(self, one: _Waiting) -> Best | None:
        among = self._candidates(one)
        return one.fit.best(among, self._now) if among else None

    def _serve(self, one: _Waiting, best: Best, most: int) -> int:
        """The lane's turn."""
        self._turn += 1
        self._served[one.lane.id] = self._turn
        alone = one.lane.lazy or self._told.room.by_ce or one.trials
        number = 1 if alone else int(min(CHUNK, most, one.left, self._told.room.of(one.lane.vo, one.lane.owner)[0]))
        for place, jobs in self._draw(one, best, number):
            self._place(one, place, jobs)
        one.left -= number
        self._told.shares.charge(one.lane.who, number)
        return number

    def _draw(self, one: _Waiting, best: Best, number: int) -> Iterable[tuple[int, int]]:
        """Places and jobs: for each job chance among equals, or the draw by weight of FuzzyRank."""
        description, rng, equals = one.fit.request.description, self._rng, best.places
        if description.fuzzy_rank and not description.submit_to:
            ranked, factor = one.fit.ranked(self._candidates(one), self._now), description.fuzzy_factor
            drawn = [self._board.places[select(ranked, rng, True, factor).ce.id] for _ in range(number)]
        elif len(equals) == 1:
            return ((equals[0], number),)
        else:
            drawn = [equals[int(rng.random() * len(equals))] for _ in range(number)]
        return Counter(drawn).items()

    def _place(self, one: _Waiting, place: int, jobs: int) -> None:
        ce, bit, lane = self._board.ces[place].id, 1 << place, one.lane
        self._placed[lane.id, ce] = self._placed.get((lane.id, ce), 0) + jobs
        self._told.room.take(lane.vo, lane.owner, ce, jobs)
        if self._told.room.at(ce) < 1:
            self._full |= bit
        if one.trials & bit:
            self._tried(lane.cls, bit)
        claimed = self._claims[ce] = self._claims.get(ce, 0) + jobs
        if claimed >= self._board.slots[place]:
            self._free &= ~bit

    def _tried(self, cls: str, bit: int) -> None:
        """One job tries the CE for its class: no other may follow."""
        for one in self._waiting.values():
            if one.lane.cls == cls:
                one.aside |= bit
                one.trials &= ~bit

    # -- causes ------------------------------------------------------------------------------------------

    def _causes(self) -> dict[str, Cause]:
        return {one.lane.id: self._cause(one) for one in self._waiting.values() if one.left}

    def _cause(self, one: _Waiting) -> Cause:
        """The first thing that leaves the lane nowhere to go."""
        if not one.mask:
            return Cause(Why.MATCH)
        matching, usable = one.mask.bit_count(), one.mask & ~one.aside
        if not usable:
            return Cause(Why.ASIDE, matching)
        left, name = self._told.room.of(one.lane.vo, one.lane.owner)
        if left < 1:
            return Cause(Why.QUOTA, matching, name)
        if not usable & ~self._full:
            return Cause(Why.QUOTA, matching, "ce:*")
        if one.lane.lazy and not usable & ~self._full & self._free:
            return Cause(Why.SLOT, matching)
        ranked = self._best(one) or one.fit.best(one.mask, self._now)
        return Cause(Why.TURN if ranked else Why.RANK, matching)
