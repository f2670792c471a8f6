"""A collection and its children, told in any order, and what a recount of the children says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import msgspec
import sqlalchemy as sa
from book_builders import JANE, START_TIME, Book, url

from lb import query
from lb.state.machine import Record
from lb.state.parents import CLASSES, slot
from lb.tables import histograms, jobs
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.seqcode import START

NS, WM, LM, LRMS = Source.NETWORK_SERVER, Source.WORKLOAD_MANAGER, Source.LOG_MONITOR, Source.LRMS
PARENT = "parent"
decode = msgspec.msgpack.Decoder(Record).decode
Told = tuple[Source, str, dict[str, Any]]

RUNNING: Told = (LRMS, "Running", {"node": "wn1"})
DONE: Told = (LM, "Done", {"status_code": "OK", "exit_code": 0})
FAILED: Told = (LM, "Done", {"status_code": "FAILED", "reason": "lost"})
CANCELLED: Told = (LM, "Done", {"status_code": "CANCELLED"})
CLEARED: Told = (NS, "Clear", {"reason": "USER"})
ABORTED: Told = (WM, "Abort", {"reason": "given up"})
RESUBMITTED: Told = (LM, "EnQueued", {"queue": "wm", "result": "OK"})


def told(unique: str, at: float, *news: Told, owner: str = JANE) -> list[Event]:
    """What happens to a job, a second after the other from `at` seconds after the start."""
    code, events = START, []
    for index, (source, type, fields) in enumerate(news):
        code = code.advanced(source)
        events.append(event(type, url(unique), source, code, START_TIME + at + index, "host.example", owner, **fields))
    return events


def registered(number: int, unique: str = PARENT, at: float = 0.0, *, jobtype: str = "COLLECTION", seed: str = "S",
               parent: str = "") -> list[Event]:
    """The registration of a job with children."""
    fields = {"jobtype": jobtype, "nsubjobs": number, "seed": seed, "ns": "ns.example", "parent": parent}
    return told(unique, at, (NS, "RegJob", fields))


def child(index: int, unique: str = PARENT, seed: str = "S") -> str:
    """Unique part of a child."""
    return JobId.parse(url(unique)).subjob(seed, index).unique


def lives(index: int, *news: Told, unique: str = PARENT) -> list[Event]:
    """The registration of a child by itself, and what happens to it then."""
    first: Told = (NS, "RegJob", {"jobtype": "SIMPLE", "ns": "ns.example", "parent": url(unique), "jdl": "[]"})
    return told(child(index, unique), 100.0 * (index + 1), first, *news)


def record(book: Book, unique: str = PARENT) -> Record:
    """The stored record of a job."""
    found = book.rows(sa.select(jobs.c.record).where(jobs.c.job == unique))
    return decode(found[0]["record"])


def counted(book: Book, unique: str = PARENT) -> Counter[str]:
    """The stored histogram, without what is nil."""
    rows = book.rows(sa.select(histograms).where(histograms.c.parent == unique))
    return +Counter({name: row[name.lower()] for row in rows for name in CLASSES})


def recounted(book: Book, unique: str = PARENT) -> Counter[str]:
    """The same from the children themselves."""
    rows = book.rows(sa.select(jobs.c.record).where(jobs.c.parent == unique))
    slots = Counter(slot(one.state, one.done_code) for one in (decode(row["record"]) for row in rows))
    return Counter({name: count for name, count in slots.items() if name in CLASSES})


def transitions(events: Iterable[Event]) -> list[str]:
    """The states that CollectionState events gave, in their order."""
    return [one.fields["state"] for one in events if one.type == "CollectionState"]


def history(book: Book, unique: str = PARENT) -> list[Event]:
    """All stored events of a job, in logical order."""
    with book.database.engine.connect() as conn:
        return query.events(conn, unique)


