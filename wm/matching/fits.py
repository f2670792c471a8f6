"""Where the jobs of a class may go, of all CEs on a board, and how well each fits. Pure.

The same answers as `match`. Not which of them is chosen, nor whether there is room.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from wm.matching.answers import Answers
from wm.matching.classes import Profile
from wm.matching.matchmaker import Matcher, Ranked, match
from wm.matching.places import mask_of, places
from wm.matching.request import Request, Site
from wm.supply.supermarket import Snapshot
from wms.resource import ComputingElement


class Best(NamedTuple):
    """The highest rank and the places that have it, in the order of their CEs' ids."""

    rank: float
    places: tuple[int, ...]


class OnBoard(Protocol):
    """What a fit sees of the board."""

    site: Site
    snapshot: Snapshot
    serial: int
    present: int
    ces: list[ComputingElement]
    by_id: list[int]
    places: dict[str, int]
    hosts: dict[str, int]
    answers: Answers

    def alive(self, now: float) -> int: ...

    def mask(self, ids: Iterable[str]) -> int: ...


class Fit(ABC):
    """`mask(now)` are the places where a job of the class may go; ranks are those of the last `mask`."""

    def __init__(self, board: OnBoard, cls: str, request: Request, profile: Profile) -> None:
        self._key = cls
        self.request = request
        self._board = board
        self._profile = profile
        self._best: tuple[int, float, int, Best | None] = (-1, 0.0, 0, None)

    def _holds(self, serial: int, at: float, now: float) -> bool:
        """Whether what was found at `at` is still so."""
        board = self._board
        return serial == board.serial and (at == now or (not self._profile.timely and now < board.snapshot.expires))

    @abstractmethod
    def mask(self, now: float) -> int:
        """Places where a job may go, of which some may turn out to have no rank."""

    @abstractmethod
    def _values(self, now: float, wanted: Sequence[int]) -> Mapping[int, float | None]:
        """The ranks of at least the places `wanted`."""

    def best(self, among: int, now: float) -> Best | None:
        """Of the places `among`, which must be of the mask; None if none of them has a rank."""
        serial, at, known, best = self._best
        if known != among or not self._holds(serial, at, now):
            best = self._find(among, now)
            self._best = self._board.serial, now, among, best
        return best

    def _find(self, among: int, now: float) -> Best | None:
        wanted, values = self._known_ranks(among, now)
        if not wanted:
            return None
        top = max(values)
        equals = [place for place, value in zip(wanted, values, strict=True) if value == top]
        return Best(top, tuple(sorted(equals, key=self._board.by_id.__getitem__)))

    def _known_ranks(self, among: int, now: float) -> tuple[list[int], list[float]]:
        """The places that have a rank, and the ranks."""
        wanted = places(among)
        ranks = self._values(now, wanted)
        values = [value for place in wanted if (value := ranks[place]) is not None]
        if len(values) < len(wanted):
            wanted = [place for place in wanted if ranks[place] is not None]
        return wanted, values

    def order(self, among: int, now: float) -> list[int]:
        """The places that have a rank, best first, equals by id."""
        wanted, values = self._known_ranks(among, now)
        ranks = dict(zip(wanted, values, strict=True))
        wanted.sort(key=self._board.by_id.__getitem__)
        wanted.sort(key=ranks.__getitem__, reverse=True)
        return wanted

    def ranked(self, among: int, now: float) -> list[Ranked]:
        """The same as CEs with their ranks."""
        order = self.order(among, now)
        values, ces = self._values(now, order), self._board.ces
        return [Ranked(ces[place], value) for place in order if (value := values[place]) is not None]


class PartsFit(Fit):
    """By the parts of the requirements, each remembered for all classes; in one piece where they are costly."""

    def __init__(self, board: OnBoard, cls: str, request: Request, profile: Profile) -> None:
        super().__init__(board, cls, request, profile)
        self._pin = request.description.submit_to
        self._past = () if self._pin else {name.casefold() for name in request.previous}
        self._known = (-1, 0.0, 0)

    def mask(self, now: float) -> int:
        serial, at, mask = self._known
        if not self._holds(serial, at, now):
            mask = self._search(now)
            self._known = self._board.serial, now, mask
        return mask

    def _search(self, now: float) -> int:
        board, mask = self._board, self._board.alive(now)
        if self._pin:
            mask &= board.mask(ce.id for ce in board.snapshot.by_destination.get(self._pin, ()))
        if self._profile.whole:
            matcher = Matcher(self.request, now, board.site)
            mask = board.answers.whole(self._key, self._profile.timely,
                                       lambda place: matcher.rank(board.ces[place]) is not None, now, mask)
        else:
            mask = board.answers.all_true(self._profile.parts, self.request, now, mask)
        return self._fresh(mask, now) if self._past else mask

    def _fresh(self, mask: int, now: float) -> int:
        """Without the hosts of earlier attempts, if others are left that have a rank."""
        values = self._values(now, wanted := places(mask))
        mask = mask_of(place for place in wanted if values[place] is not None)
        past = 0
        for host in self._past:
            past |= self._board.hosts.get(host, 0)
        return mask & ~past or mask

    def _values(self, now: float, wanted: Sequence[int]) -> Mapping[int, float | None]:
        return self._board.answers.ranks(self._profile.rank, self.request, now, wanted)


class DataFit(Fit):
    """By `match` itself, where the place of the data decides beside the CEs."""

    def __init__(self, board: OnBoard, cls: str, request: Request, profile: Profile) -> None:
        super().__init__(board, cls, request, profile)
        self._known = (-1, 0.0)
        self._ranks: dict[int, float | None] = {}
        self._mask = 0

    def mask(self, now: float) -> int:
        serial, at = self._known
        if not self._holds(serial, at, now):
            board = self._board
            matches = match(self.request, board.snapshot, now, board.site)
            self._ranks = {board.places[one.ce.id]: one.rank for one in matches.ranked}
            self._mask, self._known = mask_of(self._ranks), (board.serial, now)
        return self._mask

    def _values(self, now: float, wanted: Sequence[int]) -> Mapping[int, float | None]:
        return self._ranks
