"""Why a node of a compound is no job yet, and how a compound stands, from what the tables say. Values in, values out.

Not of nodes that are jobs: those wait as others do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wm.compounds.progress import Colour
from wm.compounds.store import CANCELLING, OVER, UNFOLDING, Compound
from wm.explaining.waiting import Told
from wms.reasons import counted, listed

_BY_COLOUR: Mapping[str, Told] = {
    Colour.GREY: Told("releasing"), Colour.DOOMED: Told("parents_failed"),
    Colour.GREEN: Told("over", {"outcome": "Done"}), Colour.RED: Told("over", {"outcome": "Aborted"}),
    Colour.CANCELLED: Told("over", {"outcome": "Cancelled"}),
}


def of_node(row: Compound | None, node: int, colour: str, parents: list[int], waiting: int, most_idle: int) -> Told:
    """`colour` and `parents` (not done yet) of a node of a DAG; `waiting` jobs of the compound wait for a CE."""
    if row is None:
        return Told("arriving")
    if row.phase in _BY_PHASE:
        return _BY_PHASE[row.phase](row)
    if row.reason:
        return Told("over", {"outcome": row.reason})
    if colour in _BY_COLOUR:
        return _BY_COLOUR[colour]
    if parents:
        names = listed([str(parent) for parent in parents])
        return Told("waiting_for_parents", {"parents": f"{'node' if len(parents) == 1 else 'nodes'} {names}",
                                            "be": "is" if len(parents) == 1 else "are"}, {"parents": parents})
    return _throttled(row, node, waiting, most_idle)


def _throttled(row: Compound, node: int, waiting: int, most_idle: int) -> Told:
    counts = row.counts
    going, idle = counts.on_their_way, waiting + counts.sent - counts.arrived
    if not row.has_edges and node < row.next:
        return Told("releasing")
    if 0 < row.most_running <= going:
        return Told("throttled", {"running": going}, {"running": going, "limit": row.most_running})
    if idle >= most_idle:
        return Told("throttled_idle", {"waiting": idle}, {"waiting": idle, "limit": most_idle})
    return Told("releasing")


def of_compound(row: Compound) -> Told:
    """How a compound stands as a whole."""
    counts = row.counts
    if row.phase in _BY_PHASE:
        return _BY_PHASE[row.phase](row)
    left = counts.number - counts.sent
    figures = {"number": counts.number, "over": counts.over, "on_their_way": counts.on_their_way, "left": left}
    words = {
        "number": counted(counts.number, "node"), "over": f"{counts.over} {'is' if counts.over == 1 else 'are'}",
        "going": f"{counts.on_their_way} {'is' if counts.on_their_way == 1 else 'are'}", "left": left}
    return Told("compound", words, figures)


_BY_PHASE: Mapping[str, Callable[[Compound], Told]] = {
    OVER: lambda row: Told("over", {"outcome": row.reason or "all nodes have ended"}),
    CANCELLING: lambda _row: Told("cancelling"),
    UNFOLDING: lambda row: Told("unfolding", {"number": row.number}, {"number": row.number}),
}
