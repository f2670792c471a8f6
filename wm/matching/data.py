"""Where the input files of a job are, and which CEs have them at hand. Pure.

Not the asking of catalogues (wm.catalogues) nor the rest of a match (matchmaker).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wm.matching.replicas import Replicas
from wm.matching.storage import FILE, close, host_of, protocols
from wm.supply.supermarket import Snapshot
from wms.jdl.ast import Name, Node, Select, Unary
from wms.resource import ComputingElement

COST = "dataaccesscost"
MAX_NAMED = 3


# -- what is at hand -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Holdings:
    """The files of a job by SE (lower case): numbers of those read over a network, and through a mount."""

    names: tuple[str, ...]
    network: Mapping[str, frozenset[int]]
    mounted: Mapping[str, frozenset[int]]
    sizes: tuple[int, ...]
    found: bool
    unanswered: tuple[str, ...]

    def at_hand(self, ce: ComputingElement) -> frozenset[int]:
        """The files that a close SE of the CE offers by a protocol of the job."""
        here: set[int] = set()
        for se, mount in close(ce).items():
            here |= self.network.get(se, frozenset())
            if mount:
                here |= self.mounted.get(se, frozenset())
        return frozenset(here)

    def admits(self, ce: ComputingElement) -> bool:
        """A CE with a file at hand; any, when no replica is known; none while a catalogue owes an answer."""
        return not self.unanswered and (not self.found or bool(self.at_hand(ce)))

    def cost(self, ce: ComputingElement) -> float:
        """DataAccessCost: how many files are elsewhere; of as many, their share of the bytes decides (below 1)."""
        away = set(range(len(self.names))) - self.at_hand(ce)
        return len(away) + sum(self.sizes[number] for number in away) / (sum(self.sizes) + 1)

    @property
    def label(self) -> str:
        """What the check is called that keeps CEs with data."""
        if self.unanswered:
            return f"data: a catalogue does not answer for {named(self.unanswered)}"
        return f"data: no access to {'' if len(self.names) == 1 else 'any of '}{named(self.names)}"


def named(files: tuple[str, ...]) -> str:
    """Some names, and how many more there are."""
    more = len(files) - MAX_NAMED
    return ", ".join(files[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def holdings(replicas: Replicas, wanted: tuple[str, ...], snapshot: Snapshot) -> Holdings | None:
    """What SEs of the snapshot hold that offer one of the protocols `wanted`; None for a job without data."""
    if not replicas.files:
        return None
    offered = _offers(snapshot, {host_of(url) for _, urls in replicas.files for url in urls})
    asked = {name.casefold() for name in wanted}
    network: dict[str, set[int]] = {}
    mounted: dict[str, set[int]] = {}
    for number, (_, urls) in enumerate(replicas.files):
        for se in {host_of(url) for url in urls} & offered.keys():
            if offered[se] & asked - {FILE}:
                network.setdefault(se, set()).add(number)
            if FILE in offered[se] & asked:
                mounted.setdefault(se, set()).add(number)
    sizes = dict(replicas.sizes)
    return Holdings(
        tuple(name for name, _ in replicas.files), _frozen(network), _frozen(mounted),
        tuple(sizes.get(name, 0) for name, _ in replicas.files), any(urls for _, urls in replicas.files),
        replicas.unanswered)


def _offers(snapshot: Snapshot, hosts: set[str]) -> dict[str, set[str]]:
    return {folded: {item.name for item in protocols(se.prepared)}
            for id, se in snapshot.ses.items() if (folded := id.casefold()) in hosts}


def _frozen(sets: Mapping[str, set[int]]) -> dict[str, frozenset[int]]:
    return {name: frozenset(numbers) for name, numbers in sets.items()}


# -- what it means for the rank and the reason -----------------------------------------------------------


def ranks_by_cost(rank: Node) -> bool:
    """Is the whole Rank `other.DataAccessCost`? With a sign before it, it means the same: the least is best."""
    bare = rank.operand if isinstance(rank, Unary) and rank.operator in {"+", "-"} else rank
    return isinstance(bare, Select) and isinstance(bare.base, Name) and bare.name.casefold() == COST


def remarks(replicas: Replicas) -> tuple[str, ...]:
    """What a user should know of the data of a job that waits."""
    without = tuple(name for name, urls in replicas.files if not urls and name not in replicas.unanswered)
    lost = (f"no replica is known of {named(without)}",) if without else ()
    return (*lost, *replicas.warnings)
