"""The nodes of a stored compound: what its text says, or for a rescue what the one before it did not finish. Pure.

A rescue is stored as the first text behind a line for each rescue, `// rescue of ID: 0-3,7`, the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from wms.jdl.compounds import Compound, compound

MOST_NODES = 10_000_000
_LINE = re.compile(r"// rescue of ([A-Za-z0-9_-]{1,64}): ([0-9,-]+)\n")


class Rescue(NamedTuple):
    """`old` was given up for a compound of these nodes of the first text: index there by index here and back."""

    old: str
    nodes: tuple[int, ...]
    places: Mapping[int, int]


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
    def number(self) -> int:
        return len(self._rescues[0].nodes) if self._rescues else self._whole.number

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """What is done already is no parent any more."""
        if not self._rescues:
            return self._whole.edges
        places = self._rescues[0].places
        return tuple((places[parent], places[child]) for parent, child in self._whole.edges
                     if parent in places and child in places)

    def _first(self, node: int) -> int:
        return self._rescues[0].nodes[node] if self._rescues else node

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
            if first in rescue.places:
                return home, rescue.places[first]
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
    whole = compound(text[end:], number)
    first = rescues[0].nodes if rescues else ()
    if len(first) != number or any(rescue.nodes[-1] >= whole.number for rescue in rescues):
        return Expansion(compound(text, number), (), text)
    return Expansion(whole, rescues, text)


@lru_cache(maxsize=8)
def _rescue(old: str, text: str) -> Rescue | None:
    """None if these are not a bounded number of ascending numbers."""
    found = [_range(part) for part in text.split(",")]
    if any(not one for one in found) or sum(map(len, found)) > MOST_NODES:
        return None
    if any(one[-1] >= other[0] for one, other in pairwise(found)):
        return None
    nodes = tuple(node for one in found for node in one)
    return Rescue(old, nodes, {node: k for k, node in enumerate(nodes)})


def _range(text: str) -> range:
    first, _, last = text.partition("-")
    last = last or first
    short = first.isdecimal() and last.isdecimal() and len(first) < 10 and len(last) < 10
    return range(int(first), int(last) + 1) if short else range(0)


def _ranges(nodes: Sequence[int]) -> str:
    """`0-3,7` for sorted numbers."""
    cuts = [0, *(k + 1 for k, (one, other) in enumerate(pairwise(nodes)) if other != one + 1), len(nodes)]
    return ",".join(f"{nodes[first]}-{nodes[last - 1]}" if last - first > 1 else str(nodes[first])
                    for first, last in pairwise(cuts))
