"""What expressions say of the CEs on the board, remembered by meaning. Pure.

CEs that agree in all that an expression reads are asked once for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wm.matching.classes import Meaning, Part
from wm.matching.columns import Read, column
from wm.matching.matchmaker import number
from wm.matching.places import mask_of, places
from wm.matching.request import Request
from wms.jdl.ast import UNDEFINED
from wms.jdl.references import ALL, significant
from wms.jdl.values import Prepared, Value
from wms.resource import ComputingElement

MOST_ANSWERS, MOST_RANKS, MOST_FIGURES = 50_000, 500_000, 100
"""What is remembered at once: expressions, ranks of single CEs, names of what ranks are made of."""
SAMPLE = 64
"""So many places are looked at to see whether groups are worth while."""
UNIQUE = object()
"""The key of a value that is compared with no other."""
Names = tuple[str, ...]


class Places(Protocol):
    """Of the board: who stands where, and what they say."""

    ces: list[ComputingElement]
    records: list[Prepared]
    present: int


def frozen(value: Value) -> object:
    """A value as a key: two are equal only if no expression can tell them apart."""
    if type(value) is list:
        items = tuple(map(frozen, value))
        return UNIQUE if UNIQUE in items else items
    if isinstance(value, dict):
        return UNIQUE
    return type(value), repr(value) if type(value) is float else value


class Groups:
    """Places by the values of some attributes. `useful`: the groups are much fewer than the places."""

    def __init__(self, names: Names, board: Places) -> None:
        self._names = names
        self._board = board
        here = places(board.present)
        self.useful = len({self._key(place) for place in here[:SAMPLE]}) <= SAMPLE // 4
        members: dict[object, list[int]] = {}
        self._keys = {place: self._key(place) for place in here} if self.useful else {}
        for place, key in self._keys.items():
            members.setdefault(key, []).append(place)
        self.masks = {key: mask_of(those) for key, those in members.items()}

    def _key(self, place: int) -> object:
        record = self._board.records[place]
        values = tuple([frozen(record[name]) if name in record else None for name in self._names])
        return place if UNIQUE in values else values

    def moved(self, place: int) -> None:
        """What stands there says something new, or left."""
        bit, old = 1 << place, self._keys.pop(place, None)
        if old is not None:
            self.masks[old] &= ~bit
            if not self.masks[old]:
                del self.masks[old]
        if self.useful and self._board.present & bit:
            key = self._keys[place] = self._key(place)
            self.masks[key] = self.masks.get(key, 0) | bit


@dataclass(slots=True)
class Truth:
    """Of the places `known` those in `mask` answer yes to a question that was asked at `now`."""

    asked: Callable[[int], bool]
    now: float
    groups: Groups | None = None
    mask: int = 0
    known: int = 0

    @property
    def grouped(self) -> bool:
        return self.groups is not None and self.groups.useful

    def among(self, wanted: int) -> int:
        """Those of `wanted` that say yes; who is not known yet is asked."""
        if missing := wanted & ~self.known:
            if self.groups is not None and self.groups.useful and missing.bit_count() > SAMPLE:
                self._ask_groups(self.groups, missing)
            else:
                self.mask = self.mask & ~missing | mask_of(filter(self.asked, places(missing)))
                self.known |= missing
        return self.mask & wanted

    def _ask_groups(self, groups: Groups, missing: int) -> None:
        for those in groups.masks.values():
            if those & missing:
                yes = self.asked(those.bit_length() - 1)
                self.mask = self.mask | those if yes else self.mask & ~those
                self.known |= those


@dataclass(slots=True)
class Ranks:
    """The rank of each place that was asked for; None where it is not a number. `many` may answer for all at once."""

    asked: Callable[[int], float | None]
    now: float
    many: Callable[[Read, int], list[float] | None] | None = None
    values: dict[int, float | None] = field(default_factory=dict)


class Answers:
    """All that is remembered. `now` of a question that time alone may change is part of it."""

    def __init__(self, board: Places) -> None:
        self._board = board
        self._truths: dict[Meaning | str, Truth] = {}
        self._ranks: dict[Meaning, Ranks] = {}
        self._groups: dict[Names, Groups] = {}
        self._figures: dict[str, list[Value]] = {}
        self._known_ranks = 0

    def moved(self, changed: Sequence[int]) -> None:
        """These places say something new: only they are asked again, when it matters."""
        if len(changed) > len(self._board.ces) // 4:
            self._truths, self._ranks, self._groups, self._figures, self._known_ranks = {}, {}, {}, {}, 0
            return
        self._refigure(changed)
        for groups in self._groups.values():
            for place in changed:
                groups.moved(place)
        still = ~mask_of(changed)
        for truth in self._truths.values():
            truth.known &= still
        for ranks in self._ranks.values():
            for place in changed:
                ranks.values.pop(place, None)

    def _refigure(self, changed: Sequence[int]) -> None:
        records = self._board.records
        for name, figure in self._figures.items():
            figure.extend([UNDEFINED] * (len(records) - len(figure)))
            for place in changed:
                figure[place] = records[place].get(name, UNDEFINED)

    # -- truths ------------------------------------------------------------------------------------------

    def all_true(self, parts: Sequence[Part], request: Request, now: float, mask: int) -> int:
        """Those of `mask` where all parts of a job's requirements are true; what costs least is asked first."""
        truths = [self._truth(part, request, now) for part in parts]
        for truth in sorted(truths, key=lambda one: (bool(mask & ~one.known), not one.grouped)):
            mask = truth.among(mask)
        return mask

    def whole(self, key: str, timely: bool, asked: Callable[[int], bool], now: float, mask: int) -> int:
        """The same for a question that is asked in one piece."""
        found = self._truths.get(key)
        if found is None or (timely and found.now != now):
            found = self._remember(key, Truth(asked, now))
        return found.among(mask)

    def _truth(self, part: Part, request: Request, now: float) -> Truth:
        found = self._truths.get(part.meaning)
        if found is None or (part.timely and found.now != now):
            found = self._remember(part.meaning, self._asked(part, request, now))
        return found

    def _remember(self, meaning: Meaning | str, truth: Truth) -> Truth:
        if len(self._truths) >= MOST_ANSWERS:
            self._truths.clear()
        self._truths[meaning] = truth
        return truth

    def _asked(self, part: Part, request: Request, now: float) -> Truth:
        bound, records = request.bound(part.node, now), self._board.records
        names = tuple(sorted(significant(part.node, request.ad)))
        return Truth(lambda place: bound(records[place]) is True, now,
                     None if ALL in names else self._grouped(names))

    def _grouped(self, names: Names) -> Groups:
        if names not in self._groups:
            self._groups[names] = Groups(names, self._board)
        return self._groups[names]

    # -- ranks -------------------------------------------------------------------------------------------

    def ranks(self, part: Part, request: Request, now: float, wanted: Sequence[int]) -> dict[int, float | None]:
        """The ranks of at least the places `wanted`."""
        found = self._ranks.pop(part.meaning, None)
        if found is None or (part.timely and found.now != now):
            found = self._ranking(part, request, now)
        self._ranks[part.meaning] = found
        values = found.values
        missing = [place for place in wanted if place not in values] if values else wanted
        values.update(zip(missing, self._asked_ranks(found, missing), strict=True))
        self._known_ranks += len(missing)
        if self._known_ranks > MOST_RANKS:
            self._forget()
        return values

    def _asked_ranks(self, ranks: Ranks, missing: Sequence[int]) -> Iterable[float | None]:
        def read(name: str) -> list[Value]:
            figure = self._figure(name)
            return [figure[place] for place in missing]

        told = ranks.many(read, len(missing)) if ranks.many is not None else None
        return map(ranks.asked, missing) if told is None else told

    def _figure(self, name: str) -> list[Value]:
        """What each CE says by a name."""
        if name not in self._figures:
            if len(self._figures) >= MOST_FIGURES:
                self._figures.clear()
            self._figures[name] = [record.get(name, UNDEFINED) for record in self._board.records]
        return self._figures[name]

    def _ranking(self, part: Part, request: Request, now: float) -> Ranks:
        bound, records = request.bound(part.node, now), self._board.records
        return Ranks(lambda place: number(bound(records[place])), now, column(part.node, request.ad))

    def _forget(self) -> None:
        """Those that were not asked for longest, down to half; never the last one."""
        known = sum(len(one.values) for one in self._ranks.values())
        for meaning in list(self._ranks)[:-1]:
            if known <= MOST_RANKS // 2:
                break
            known -= len(self._ranks.pop(meaning).values)
        self._known_ranks = known
