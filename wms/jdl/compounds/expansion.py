"""The nodes of a stored compound: what its text says, or for a rescue what the one before it did not finish. Pure.

A rescue is stored as the first text behind a line for each rescue, `// rescue of ID: 0-3,7`, the newest first.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import NamedTuple

from wms.jdl.compounds import Compound, compound

_LINE = re.compile(r"// rescue of ([A-Za-z0-9_-]{1,64}): ([0-9,-]+)\n")


class Rescue(NamedTuple):
    """`old` was given up for a compound of these nodes of the first text: `ranges` ascend, `before` counts theirs."""

    old: str
    ranges: tuple[range, ...]
    before: tuple[int, ...]

    @property
    def number(self) -> int:
        return self.before[-1] + len(self.ranges[-1])

    def first(self, node: int) -> int:
        """The index in the first text of a node of this one."""
        k = bisect_right(self.before, node) - 1
        return self.ranges[k][node - self.before[k]]

    def place(self, first: int) -> int | None:
        """The index here of a node of the first text, None if it is not of this one."""
        k = bisect_right(self.ranges, first, key=lambda one: one.start) - 1
        return self.before[k] + first - self.ranges[k].start if k >= 0 and first in self.ranges[k] else None


class Source(NamedTuple):
    """An input file: `shared` of the compound, or output `file` of node `node` of compound `home` ("" its own)."""

    name: str
    shared: str
    home: str
    node: int
    file: str


class Expansion:
    """The nodes of one compound, numbered from 0 here."""

    def __init__(self, whole: Compound, rescues: Sequence[Rescue], text: str) -> None:
        self._whole = whole
        self._rescues = rescues
        self._text = text

    @property
    def kind(self) -> str:
        return self._whole.kind

    @property
    def most_running(self) -> int:
        return self._whole.max_running_nodes

    @property
    def expires(self) -> float:
        """Epoch s, 0 if it does not say."""
        return self._whole.expiry_time or 0.0

    @property
    def alike(self) -> bool:
        return self._whole.alike

    @property
    def collocated(self) -> bool:
        return self._whole.collocated

    @property
    def number(self) -> int:
        return self._rescues[0].number if self._rescues else self._whole.number

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """What is done already is no parent any more."""
        if not self._rescues:
            return self._whole.edges
        place = self._rescues[0].place
        here = ((place(parent), place(child)) for parent, child in self._whole.edges)
        return tuple((parent, child) for parent, child in here if parent is not None and child is not None)

    def _first(self, node: int) -> int:
        return self._rescues[0].first(node) if self._rescues else node

    def name(self, node: int) -> str:
        return self._whole.name(self._first(node))

    def jdl(self, node: int) -> str:
        return self._whole.jdl(self._first(node))

    def inputs(self, node: int) -> list[Source]:
        return [Source(one.name, one.shared, *self._place(one.node), one.file) if not one.shared
                else Source(one.name, one.shared, "", -1, "") for one in self._whole.inputs(self._first(node))]

    def _place(self, first: int) -> tuple[str, int]:
        """Where a node of the first text ran last: compound, and its index there."""
        home = ""
        for rescue in self._rescues:
            place = rescue.place(first)
            if place is not None:
                return home, place
            home = rescue.old
        return home, first

    def homes(self) -> list[str]:
        """The compounds before this one, whose outputs it may read."""
        return [rescue.old for rescue in self._rescues]

    def rescued(self, id: str, done: Iterable[int]) -> str:
        """The text of a compound of all nodes of this one, whose identifier is `id`, but those that are done."""
        left = sorted({*range(self.number)} - {*done})
        return f"// rescue of {id}: {_ranges([self._first(node) for node in left])}\n{self._text}"


def expansion(text: str, number: int) -> Expansion:
    """The nodes of a compound that was registered with `number` of them; raises JdlError.

    Lines that cannot be of a rescue of so many nodes are comments like any other.
    """
    rescues, end = list[Rescue](), 0
    while (found := _LINE.match(text, end)) and (rescue := _rescue(found[1], found[2])):
        rescues.append(rescue)
        end = found.end()
    whole = compound(text[end:])
    fits = all(rescue.ranges[-1][-1] < whole.number for rescue in rescues)
    if not (rescues and fits and rescues[0].number == number):
        return Expansion(compound(text), (), text)
    return Expansion(whole, rescues, text)


@lru_cache(maxsize=8)
def _rescue(old: str, text: str) -> Rescue | None:
    """None if these are not ascending numbers."""
    found = tuple(_range(part) for part in text.split(","))
    if any(not one for one in found) or any(one[-1] >= other[0] for one, other in pairwise(found)):
        return None
    return Rescue(old, found, (0, *accumulate(map(len, found[:-1]))))


def _range(text: str) -> range:
    """Nothing for what is no range, or reaches further than any compound."""
    first, _, last = text.partition("-")
    last = last or first
    short = first.isdecimal() and last.isdecimal() and len(first) < 10 and len(last) < 10
    return range(int(first), int(last) + 1) if short else range(0)


def _ranges(nodes: Sequence[int]) -> str:
    """`0-3,7` for sorted numbers."""
    cuts = [0, *(k + 1 for k, (one, other) in enumerate(pairwise(nodes)) if other != one + 1), len(nodes)]
    return ",".join(f"{nodes[first]}-{nodes[last - 1]}" if last - first > 1 else str(nodes[first])
                    for first, last in pairwise(cuts))
