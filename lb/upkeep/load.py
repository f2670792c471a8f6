"""Loads: the lines of a log become jobs again, each in the state it had.

Nobody's rights are asked about, since the server that wrote the log has asked. Only one batch of it; where the
lines come from and where the refused ones go is in lb.upkeep.upkeep_operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lb import zombies
from lb.keeper import Follower, keep
from lb.state.parents import CLASSES, COLLECTIONS, Cause, Histogram, collection_event
from lb.state.record import Record
from lb.store import Change
from lb.tables import events, histograms, jobs
from lb.ulm_log import Entry, Problem, written
from wms.event import Event, duplicate_key

_decode = msgspec.msgpack.Decoder(Record).decode
UNKNOWN = 0
"""The code of a refusal that is not one of reading."""


class Batch(NamedTuple):
    """What became of some lines: counts of events, and the lines that are none or were refused."""

    events: int
    stored: int
    duplicates: int
    extra: int
    problems: list[Problem]
    changed: list[str]
    collections: frozenset[str]


def store_batch(conn: sa.Connection, found: Iterable[Entry | Problem], now: float,
                followers: Sequence[Follower]) -> Batch:
    """Store the events of these lines with their arrival; what is known already is success.

    `followers` are those that keep what belongs to a state, as relatives do; not those that tell others of changes.
    The states of `collections` are as the log tells them until all is loaded: then `settle` them.
    """
    found = list(found)
    entries = [one for one in found if isinstance(one, Entry)]
    ingested = keep(conn, [entry.event for entry in entries], now,
                    [arrivals, zombies.revived, *map(_as_told, followers)])
    numbers = {duplicate_key(entry.event): entry.number for entry in entries}
    refused = [Problem(numbers[duplicate_key(event)], written(event), reason, UNKNOWN)
               for event, reason in ingested.refused]
    problems = sorted([*(one for one in found if isinstance(one, Problem)), *refused])
    return Batch(len(entries), ingested.stored, ingested.duplicates, sum(entry.extra for entry in entries), problems,
                 list(ingested.changed), frozenset(_collections(ingested.changes)))


def settle(conn: sa.Connection, collections: Iterable[str], host: str, followers: Sequence[Follower]) -> int:
    """Give collections (unique parts) the states of their children where the log told no such thing, at the time of
    the newest of them; how many there were. `host` is the server's.
    """
    counted = sa.select(histograms, jobs.c.record).join(jobs, jobs.c.job == histograms.c.parent).where(
        histograms.c.parent.in_(list(collections)), jobs.c.type.in_(map(str, COLLECTIONS)))
    number = 0
    for parent, *counts, record in conn.execute(counted).all():
        said = _said(conn, parent, _decode(record), dict(zip(CLASSES, counts, strict=True)), host)
        if said is not None:
            keep(conn, [said], said.timestamp, followers)
            number += 1
    return number


def _said(conn: sa.Connection, parent: str, record: Record, counted: Histogram, host: str) -> Event | None:
    newest = conn.execute(_NEWEST, {"parent": parent}).first()
    if newest is None:
        return None
    updated, unique, server = newest
    cause = Cause(f"https://{server}/{unique}", "RegJob")
    return collection_event(record, counted, cause, updated, host, f"/CN={host}")


def _as_told(follower: Follower) -> Follower:
    """The same follower, without the states of collections: the log has them."""
    def follow(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
        return [event for event in follower(conn, changes, now) if event.type != "CollectionState"]

    return follow


def _collections(changes: Iterable[Change]) -> Iterable[str]:
    for change in changes:
        if change.after.parent_job:
            yield change.after.parent_job.rpartition("/")[2]
        if change.after.jobtype in COLLECTIONS:
            yield change.unique


def arrivals(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
    """A follower of changes: events that have arrived somewhere before keep that time."""
    loaded = [change for change in changes if any(event.arrived for event in change.events)]
    if loaded:
        sizes = dict(conn.execute(sa.select(jobs.c.id, jobs.c.version).where(
            jobs.c.id.in_([change.key for change in loaded]))).all())
        conn.execute(_ARRIVED, [
            {"key": change.key, "at": number, "stamp": event.arrived} for change in loaded
            for number, event in enumerate(change.events, sizes[change.key] - len(change.events)) if event.arrived])
    return ()


_ARRIVED = events.update().where(
    events.c.job == sa.bindparam("key"), events.c.number == sa.bindparam("at")).values(arrived=sa.bindparam("stamp"))
_NEWEST = (sa.select(jobs.c.updated, jobs.c.job, jobs.c.server)
           .where(jobs.c.parent == sa.bindparam("parent"), jobs.c.parent != sa.literal_column("''"))
           .order_by(jobs.c.updated.desc(), jobs.c.id).limit(1))
