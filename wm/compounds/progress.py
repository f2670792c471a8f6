"""How a compound goes on: colours of its nodes, what an end of nodes means, what may be released, how it ends.

Pure: values in, values out. Rows are in `store`, events and messages in `pump`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

DAG = "dag"
SUCCESS, FAILURE = "DAG successfully completed", "DAG completed with failed jobs"
PARENTS, EXPIRED, CANCELLED_BY_USER = "parents have aborted", "request expired", "Cancelled by user"
Edges = Sequence[tuple[int, int]]


class Colour(StrEnum):
    """White: not released; grey: on its way; doomed: will never run, which is not said yet; the rest is over."""

    WHITE = "white"
    GREY = "grey"
    GREEN = "green"
    RED = "red"
    CANCELLED = "cancelled"
    DOOMED = "doomed"


COLOURS: Mapping[str, Colour] = {"Done": Colour.GREEN, "Aborted": Colour.RED, "Cancelled": Colour.CANCELLED}
"""A job that is Done is green whatever its exit code is: it ran, and its output is there."""


class Counts(NamedTuple):
    """Nodes of a compound: `sent` are no longer white, `arrived` of these are jobs here (or over without)."""

    number: int
    sent: int = 0
    arrived: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def over(self) -> int:
        return self.done + self.failed + self.cancelled

    @property
    def on_their_way(self) -> int:
        return self.sent - self.over

    @property
    def complete(self) -> bool:
        return self.over >= self.number


class Throttles(NamedTuple):
    """Most nodes on their way (0: no limit), and most that wait for a match."""

    running: int = 0
    idle: int = 1000


class Room(NamedTuple):
    """How many nodes may be released now; `idle`: the limit of waiting ones is what keeps back the others."""

    nodes: int
    idle: bool


def room(counts: Counts, waiting: int, throttles: Throttles, most: int) -> Room:
    """At most `most` at once; `waiting` are the jobs here without a place, those under way to us are idle too."""
    unsent = counts.number - counts.sent
    idle = throttles.idle - waiting - (counts.sent - counts.arrived)
    running = throttles.running - counts.on_their_way if throttles.running else unsent
    nodes = max(0, min(unsent, idle, running, most))
    return Room(nodes, idle < min(unsent, running))


def ahead(room: Room, counts: Counts) -> Room:
    """Of nodes that go to one place, which is not known yet, one goes alone; its placement brings the others."""
    return Room(min(room.nodes, int(not counts.on_their_way)), idle=True)


class Change(NamedTuple):
    """What ends of nodes mean: their colours, how many parents each child waits less for, and who is doomed."""

    colours: Mapping[int, Colour]
    satisfied: Mapping[int, int]
    doomed: frozenset[int]


def ended(outcomes: Mapping[int, str], edges: Edges) -> Change:
    """Nodes with their outcomes (Done, Aborted, Cancelled); `edges` are those that begin at them."""
    colours = {node: COLOURS[outcome] for node, outcome in outcomes.items()}
    satisfied = Counter(child for parent, child in edges if colours[parent] is Colour.GREEN)
    doomed = frozenset(child for parent, child in edges if colours[parent] is not Colour.GREEN)
    return Change(colours, satisfied, doomed)


def waits(number: int, edges: Edges) -> list[int]:
    """How many parents each node has."""
    found = [0] * number
    for _parent, child in edges:
        found[child] += 1
    return found


def tally(outcomes: Iterable[str]) -> Counts:
    """Outcomes of nodes as counts of ends."""
    counted = Counter(map(COLOURS.__getitem__, outcomes))
    return Counts(0, done=counted[Colour.GREEN], failed=counted[Colour.RED], cancelled=counted[Colour.CANCELLED])


class End(NamedTuple):
    """The outcome of a compound (Done, Aborted, Cancelled), and why."""

    outcome: str
    reason: str


def end(kind: str, counts: Counts, *, cancelled: bool, reason: str = "") -> End:
    """How a complete compound ended; `cancelled`: its owner gave it up; `reason`: why it was not let go on."""
    if counts.done == counts.number:
        return End("Done", SUCCESS)
    if cancelled or (kind != DAG and counts.cancelled == counts.number):
        return End("Cancelled", CANCELLED_BY_USER)
    if kind == DAG:
        return End("Aborted", reason or FAILURE)
    return End("Aborted", reason or f"{counts.failed} of {counts.number} jobs failed") if counts.failed else End(
        "Done", f"{counts.cancelled} of {counts.number} jobs were cancelled")
