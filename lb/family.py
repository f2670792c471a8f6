"""What follows from a change for other jobs: histograms and states of parents, children to be made, connections.

A follower of lb.keeper. What is counted and decided is in lb.state.parents, lb.state.embryos and lb.state.edges.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

import msgspec
import sqlalchemy as sa

from lb.bulk import insert
from lb.keeper import Follower, keep
from lb.rows import from_row
from lb.state.edges import mirrors
from lb.state.embryos import births, expands, expansions
from lb.state.parents import CLASSES, COLLECTIONS, Cause, Histogram, collection_event, place
from lb.state.record import Record
from lb.store import Change
from lb.tables import events, histograms, jobs
from lb.waiting import Waiters
from wms import queue
from wms.consumer import Handle
from wms.event import EVENT_TYPES, Event
from wms.jobstatus import COMPOSITE
from wms.messages.submission import Expand
from wms.messages.topics import LB_CHILDREN
from wms.queue import Message

PORTION = 500
"""Children made in one transaction: others wait no longer than that."""

_COLUMNS = {name: histograms.c[name.lower()] for name in CLASSES}
_STIRRED = (
    sa.select(histograms.c.parent, *_COLUMNS.values(), jobs.c.record).join(jobs, jobs.c.job == histograms.c.parent)
    .where(histograms.c.parent.in_(sa.bindparam("parents", expanding=True)), jobs.c.type.in_(map(str, COLLECTIONS)))
    .order_by(histograms.c.parent))
_REGISTRATIONS = sa.select(events).where(events.c.job == sa.bindparam("key"),
                                         events.c.type == EVENT_TYPES["RegJob"].code)
_ONE_WRITER = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(name, 0)) FROM "
                      "(SELECT unnest(CAST(:parents AS text[])) AS name ORDER BY name) AS names")
_decode = msgspec.msgpack.Decoder(Record).decode
_decode_expand = msgspec.json.Decoder(Expand).decode


def follower(host: str) -> Follower:
    """Tells parents of their children, children of their parents, and connected jobs of each other."""
    user = f"/CN={host}"

    def follow(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
        kin = [change for change in changes if _has_kin(change)]
        if not kin:
            return ()
        news = [event for change in kin for event in mirrors(change.before, change.after)]
        _expand(conn, kin, now)
        deltas, causes = _moves(kin)
        for parent, counted, record in _stirred(conn, deltas, causes):
            said = collection_event(record, counted, causes[parent], now, host, user)
            news += [said] if said is not None else []
        return news

    return follow


def expander(waiters: Waiters, followers: Sequence[Follower], portion: int = PORTION) -> Handle:
    """Makes the next children of each registration; the rest is a message of its own, behind the others."""
    def handle(conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        for message in messages:
            expand = _decode_expand(message.body)
            if _exists(conn, expand.job):
                born, rest = births(expand, portion)
                waiters.note(keep(conn, born, now, followers, valid=True).changed)
                if rest is not None:
                    queue.put(conn, LB_CHILDREN, rest, now=now, job=rest.job)

    return handle


def forget(conn: sa.Connection, parents: Collection[str]) -> None:
    """These jobs (unique parts) are no more, nor are their children."""
    if parents:
        conn.execute(histograms.delete().where(histograms.c.parent.in_(parents)))


def _has_kin(change: Change) -> bool:
    before, after = change.before, change.after
    return bool(after.parent_job or after.edges or after.jobtype in COMPOSITE or (before and before.parent_job))


def _exists(conn: sa.Connection, url: str) -> bool:
    chosen = sa.select(jobs.c.id).where(jobs.c.job == url.rpartition("/")[2], jobs.c.type != "")
    return conn.execute(chosen).first() is not None


def _expand(conn: sa.Connection, kin: Iterable[Change], now: float) -> None:
    """Have the children made of registrations that are new."""
    for change in kin:
        if any(map(expands, change.events)):
            rows = conn.execute(_REGISTRATIONS, {"key": change.key}).mappings()
            known = [from_row(dict(row), change.after.job_id) for row in rows]
            queue.put_many(conn, LB_CHILDREN, [(one.job, one) for one in expansions(known, change.events)], now=now)


def _moves(kin: Iterable[Change]) -> tuple[dict[str, Counter[str]], dict[str, Cause]]:
    """What changes in the histogram of each parent, and what its state may follow: its own event or a child's."""
    deltas: dict[str, Counter[str]] = {}
    causes: dict[str, Cause] = {}
    for change in kin:
        cause = Cause(change.after.job_id, change.events[-1].type if change.events else "RegJob")
        old, new = place(change.before), place(change.after)
        for at, by in ((old, -1), (new, 1)) if old != new else ():
            if at.stirred:
                deltas.setdefault(at.parent, Counter())[at.slot] += by
                causes[at.parent] = cause
        if change.after.jobtype in COLLECTIONS and any(event.type != "CollectionState" for event in change.events):
            causes[change.unique] = cause
    return deltas, causes


def _stirred(conn: sa.Connection, deltas: Mapping[str, Counter[str]],
             parents: Collection[str]) -> Iterator[tuple[str, Histogram, Record]]:
    """The registered ones of these collections whose children have moved, after `deltas`: counted classes, record."""
    if not parents:
        return
    if conn.dialect.name == "postgresql":
        conn.execute(_ONE_WRITER, {"parents": list(parents)})
    if deltas:
        conn.execute(_count(conn.dialect.name), [
            {"parent": parent, **{column.name: moved[name] for name, column in _COLUMNS.items()}}
            for parent, moved in sorted(deltas.items())])
    for parent, *counts, record in conn.execute(_STIRRED, {"parents": list(parents)}).all():
        yield parent, dict(zip(_COLUMNS, counts, strict=True)), _decode(record)


@lru_cache
def _count(dialect: str) -> sa.Insert:
    made = insert(dialect, histograms)
    return made.on_conflict_do_update(index_elements=[histograms.c.parent], set_={
        column.name: column + made.excluded[column.name] for column in _COLUMNS.values()})
