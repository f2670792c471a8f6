"""Statements on compounds, their nodes and edges, in sets. No decisions here: those are in `progress`.

A flat compound has no rows of nodes: a cursor and counters are all, whatever its size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from wm import store as queue
from wm.compounds.progress import DAG, Change, Colour, Counts, Edges
from wm.tables import compounds, edges, jobs, nodes
from wms.database import note_topic
from wms.messages.submission import SubmitCompound

UNFOLDING, OPEN, CANCELLING, OVER = "unfolding", "open", "cancelling", "over"
ACTIVE = (UNFOLDING, OPEN, CANCELLING)
TOPIC = "wm.compounds"
"""Noted when a compound may go on: it wakes the pump, no message is behind it."""


class Compound(NamedTuple):
    """A row of wm_compounds: `next` nodes are no longer white (while it unfolds: have a row), `released` of these
    have arrived as jobs."""

    id: str
    phase: str
    submit: bytes
    kind: str
    number: int
    next: int
    released: int
    done: int
    failed: int
    cancelled: int
    most_running: int
    sequence_code: str
    reason: str
    due: float

    @property
    def counts(self) -> Counts:
        return Counts(self.number, self.next, self.released, self.done, self.failed, self.cancelled)

    @property
    def has_edges(self) -> bool:
        return self.kind == DAG

    def request(self) -> SubmitCompound:
        """The message it came with; its edges are in the table once it is unfolded."""
        return msgspec.json.decode(self.submit, type=SubmitCompound)


_FIND = sa.select(compounds).where(compounds.c.id == sa.bindparam("compound")).with_for_update()
_TOUCH = compounds.update().where(compounds.c.id == sa.bindparam("compound"), compounds.c.phase != OVER).values(
    due=sa.bindparam("at"))
_WHITE = (nodes.c.compound == sa.bindparam("of"), nodes.c.colour == Colour.WHITE.value)
_RELEASABLE = (sa.select(nodes.c.node).where(*_WHITE, nodes.c.waits == 0)
               .order_by(nodes.c.node).limit(sa.bindparam("most")))
_UNSENT = (sa.select(nodes.c.node).where(
    nodes.c.compound == sa.bindparam("of"), nodes.c.colour.in_([Colour.WHITE.value, Colour.DOOMED.value]))
    .order_by(nodes.c.node).limit(sa.bindparam("most")))
_DOOMED = (sa.select(nodes.c.node).where(nodes.c.compound == sa.bindparam("of"), nodes.c.colour == Colour.DOOMED.value)
           .order_by(nodes.c.node).limit(sa.bindparam("most")))
_NODE = (nodes.c.compound == sa.bindparam("of"), nodes.c.node == sa.bindparam("which"))
_PAINT = nodes.update().where(*_NODE).values(colour=sa.bindparam("paint"))
_DOOM = nodes.update().where(*_WHITE, nodes.c.node == sa.bindparam("which")).values(colour=Colour.DOOMED.value)
_SATISFY = nodes.update().where(*_NODE).values(waits=nodes.c.waits - sa.bindparam("fewer"))


def add(conn: sa.Connection, submit: SubmitCompound, code: str, now: float) -> None:
    """A new compound with its sequence code, due at once."""
    id = submit.job.rsplit("/", 1)[-1]
    phase = UNFOLDING if submit.kind == DAG else OPEN
    row = Compound(id, phase, msgspec.json.encode(submit), submit.kind, submit.number, 0, 0, 0, 0, 0,
                   min(submit.most_running, submit.number), code, "", now)
    conn.execute(compounds.insert(), row._asdict())
    note_topic(conn, TOPIC)


def find(conn: sa.Connection, id: str) -> Compound | None:
    """The row, locked until the commit."""
    row = conn.execute(_FIND, {"compound": id}).first()
    return None if row is None else Compound(*row)


def of(conn: sa.Connection, ids: Collection[str]) -> dict[str, Compound]:
    """Those of these that are here, locked, in the order of their ids."""
    found = conn.execute(sa.select(compounds).where(compounds.c.id.in_(ids)).order_by(compounds.c.id)
                         .with_for_update())
    return {row.id: Compound(*row) for row in found}


def change(conn: sa.Connection, id: str, **values: Any) -> None:
    conn.execute(compounds.update().where(compounds.c.id == id).values(**values))


def touch(conn: sa.Connection, ids: Collection[str], now: float) -> None:
    """Have the pump look at them at once."""
    if ids:
        conn.execute(_TOUCH, [{"compound": id, "at": now} for id in sorted(ids)])
        note_topic(conn, TOPIC)


def touch_all(conn: sa.Connection, now: float) -> None:
    """A new life: look at everything."""
    conn.execute(compounds.update().where(compounds.c.phase.in_(ACTIVE)).values(due=now))


def due(conn: sa.Connection, now: float, limit: int) -> list[str]:
    """Compounds to look at now, those that wait longest first."""
    found = sa.select(compounds.c.id).where(compounds.c.phase.in_(ACTIVE), compounds.c.due <= now)
    return list(conn.scalars(found.order_by(compounds.c.due, compounds.c.id).limit(limit)))


def count(conn: sa.Connection, id: str, more: Mapping[str, int]) -> None:
    """Add to counters."""
    if any(more.values()):
        conn.execute(compounds.update().where(compounds.c.id == id).values(
            {name: compounds.c[name] + number for name, number in more.items()}))


# -- nodes of a compound with edges ----------------------------------------------------------------------


def unfold(conn: sa.Connection, id: str, first: int, waits: Sequence[int], leaving: Edges) -> None:
    """Rows of the nodes from `first` on, and of the edges that leave them."""
    conn.execute(nodes.insert(), [
        {"compound": id, "node": first + k, "waits": number, "colour": Colour.WHITE.value}
        for k, number in enumerate(waits)])
    if leaving:
        conn.execute(edges.insert(), [{"compound": id, "parent": parent, "child": child}
                                      for parent, child in leaving])


def releasable(conn: sa.Connection, id: str, most: int) -> list[int]:
    """White nodes whose parents are all done, the first ones first."""
    return list(conn.scalars(_RELEASABLE, {"of": id, "most": most}))


def unsent(conn: sa.Connection, id: str, most: int) -> list[int]:
    """Nodes that were never released."""
    return list(conn.scalars(_UNSENT, {"of": id, "most": most}))


def doomed(conn: sa.Connection, id: str, most: int) -> list[int]:
    """Doomed nodes and what comes after them, at most as many as asked for, however deep.

    A step is two look-ups in indices: one recursive statement takes minutes where PostgreSQL has no statistics yet.
    """
    found = dict.fromkeys(conn.scalars(_DOOMED, {"of": id, "most": most}))
    last = list(found)
    while last and len(found) < most:
        after = {child for _parent, child in children(conn, id, last)} - found.keys()
        last = _white(conn, id, sorted(after)[:most - len(found)])
        found.update(dict.fromkeys(last))
    return list(found)


def _white(conn: sa.Connection, id: str, which: Collection[int]) -> list[int]:
    return list(conn.scalars(sa.select(nodes.c.node).where(
        nodes.c.compound == id, nodes.c.node.in_(which), nodes.c.colour == Colour.WHITE.value)))


def children(conn: sa.Connection, id: str, parents: Collection[int]) -> list[tuple[int, int]]:
    """The edges that leave these nodes."""
    found = conn.execute(sa.select(edges.c.parent, edges.c.child).where(
        edges.c.compound == id, edges.c.parent.in_(parents)))
    return [(parent, child) for parent, child in found]


def paint(conn: sa.Connection, id: str, which: Collection[int], colour: Colour) -> None:
    if which:
        conn.execute(_PAINT, [{"of": id, "which": node, "paint": colour.value} for node in which])


def doom(conn: sa.Connection, id: str, which: Collection[int]) -> None:
    """Those of them that are white."""
    if which:
        conn.execute(_DOOM, [{"of": id, "which": node} for node in sorted(which)])


def apply(conn: sa.Connection, id: str, change: Change) -> None:
    """Ends of nodes, with what they mean for their children."""
    conn.execute(_PAINT, [{"of": id, "which": node, "paint": colour.value} for node, colour in change.colours.items()])
    if change.satisfied:
        conn.execute(_SATISFY, [{"of": id, "which": node, "fewer": times} for node, times in change.satisfied.items()])
    doom(conn, id, change.doomed)


# -- its jobs --------------------------------------------------------------------------------------------


def waiting(conn: sa.Connection, id: str) -> int:
    """How many of its jobs wait for a match."""
    return int(conn.execute(sa.select(sa.func.count()).select_from(jobs).where(
        jobs.c.parent == id, jobs.c.phase == queue.WAITING)).scalar_one())


def place(conn: sa.Connection, id: str) -> str:
    """The CE of the first of its jobs that has one, "" if none; one that waits again has lost its own."""
    found: str | None = conn.scalar(sa.select(jobs.c.ce).where(
        jobs.c.parent == id, jobs.c.phase != queue.WAITING, jobs.c.ce != "").order_by(jobs.c.node).limit(1))
    return found or ""


def known(conn: sa.Connection, ids: Collection[str]) -> set[int]:
    """Those of these nodes, by their ids, that are jobs here."""
    return set(conn.scalars(sa.select(jobs.c.node).where(jobs.c.id.in_(ids))))


def live(conn: sa.Connection, id: str, phase: str, most: int) -> list[queue.Job]:
    """Its jobs in this phase that nobody has cancelled yet, locked."""
    found = conn.execute(sa.select(jobs).where(
        jobs.c.parent == id, jobs.c.phase == phase, jobs.c.cancelled.is_(False)).limit(most).with_for_update())
    return [queue.Job(*row) for row in found]


def living(conn: sa.Connection, id: str, after: int, most: int) -> list[queue.Job]:
    """Its jobs after this node that are not over, locked, in the order of their indices."""
    found = conn.execute(sa.select(jobs).where(
        jobs.c.parent == id, jobs.c.phase.in_([queue.WAITING, queue.PLACED]), jobs.c.node > after)
        .order_by(jobs.c.node).limit(most).with_for_update())
    return [queue.Job(*row) for row in found]


def forget(conn: sa.Connection, before: float) -> str | None:
    """Drop one compound that was over before `before`, with its nodes and edges; its id."""
    id = conn.scalar(sa.select(compounds.c.id).where(compounds.c.phase == OVER, compounds.c.due < before).limit(1))
    if id is not None:
        for table, column in ((edges, edges.c.compound), (nodes, nodes.c.compound), (compounds, compounds.c.id)):
            conn.execute(table.delete().where(column == id))
    return id
