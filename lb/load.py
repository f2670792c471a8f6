"""Loads: the lines of a log become jobs again, each in the state it had.

Nobody's rights are asked about, since the server that wrote the log has asked. Only one batch of it; where the
lines come from and where the refused ones go is in lb.upkeep_operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lb import zombies
from lb.keeper import Follower, keep
from lb.store import Change
from lb.tables import events, jobs
from lb.ulm_log import Entry, Problem, written
from wms.event import Event, duplicate_key

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


def load(conn: sa.Connection, found: Iterable[Entry | Problem], now: float, followers: Sequence[Follower]) -> Batch:
    """Store the events of these lines with their arrival; what is known already is success.

    `followers` are those that keep what belongs to a state, as relatives do; not those that tell others of changes.
    """
    found = list(found)
    entries = [one for one in found if isinstance(one, Entry)]
    ingested = keep(conn, [entry.event for entry in entries], now, [arrivals, zombies.revived, *followers])
    numbers = {duplicate_key(entry.event): entry.number for entry in entries}
    refused = [Problem(numbers[duplicate_key(event)], written(event), reason, UNKNOWN)
               for event, reason in ingested.refused]
    problems = sorted([*(one for one in found if isinstance(one, Problem)), *refused])
    return Batch(len(entries), ingested.stored, ingested.duplicates, sum(entry.extra for entry in entries), problems,
                 list(ingested.changed))


def arrivals(conn: sa.Connection, changes: Sequence[Change], now: float) -> Sequence[Event]:
    """A follower of changes: events that have arrived somewhere before keep that time."""
    loaded = [change for change in changes if any(event.arrived for event in change.events)]
    if loaded:
        sizes = dict(conn.execute(sa.select(jobs.c.id, jobs.c.version).where(
            jobs.c.id.in_([change.key for change in loaded]))).tuples().all())
        conn.execute(_ARRIVED, [
            {"key": change.key, "at": number, "stamp": event.arrived} for change in loaded
            for number, event in enumerate(change.events, sizes[change.key] - len(change.events)) if event.arrived])
    return ()


_ARRIVED = events.update().where(
    events.c.job == sa.bindparam("key"), events.c.number == sa.bindparam("at")).values(arrived=sa.bindparam("stamp"))
