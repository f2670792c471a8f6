"""`ingest`, the one writer of jobs and events of Logging & Bookkeeping: events in, rows and states out.

A state is a fold over the events of its job in their logical order, so neither the order nor the repetition
of arrivals matters. Not the questions (lb.query), and not what events mean (lb.state.machine).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lb.bulk import Way, among, listed, write
from lb.rows import from_row, to_row
from lb.state.machine import MACHINE_VERSION, Record, fold, in_order, step
from lb.state.order import order
from lb.tables import events as events
from lb.tables import jobs as jobs
from lb.tables import refused as refused
from lb.tables import tags as tags
from wms.errors import BadEvent, Unavailable
from wms.event import Event, duplicate_key, validate
from wms.identity import canonical_dn
from wms.jobid import JobId
from wms.jobstatus import JobStatus

NOWHERE = "none"
LONGEST_ID = 255
"""Characters of the unique part of an identifier."""
LONGEST_COLUMN = 400
"""Characters of a text by which jobs are found; what is longer is found by its beginning."""
LONGEST_TAG = 200
"""Characters of the value of a tag by which jobs are found; a longer name is not found at all."""
HOLD_TIMES = 10
"""Rows that a purge deletes while they are to be locked are made again, at most so often."""


class Refusal(NamedTuple):
    """An event that cannot be stored, with the reason."""

    event: Event
    reason: str


class Change(NamedTuple):
    """A job that got news: key of its row, unique part of its identifier, record before (None: it is new) and
    after, the events that were new, in their order."""

    key: int
    unique: str
    before: Record | None
    after: Record
    events: Sequence[Event]


class Ingested(NamedTuple):
    """What became of a batch: events stored, events known before, events refused, jobs that got news."""

    stored: int
    duplicates: int
    refused: list[Refusal]
    changes: list[Change]

    @property
    def changed(self) -> dict[str, JobStatus]:
        """The new status of each job that got news, by the unique part of its identifier."""
        return {change.unique: change.after for change in self.changes}


class _Held(NamedTuple):
    """A row of lb_jobs, locked until the transaction ends; `record` is None before the first event."""

    key: int
    unique: str
    server: str
    created: float
    size: int
    record: Record | None


class _Advance(NamedTuple):
    """The new events of one job, in their order, and what it becomes by them."""

    held: _Held
    fresh: Sequence[Event]
    record: Record


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Record).decode
_canonical = lru_cache(maxsize=1000)(canonical_dn)
_HELD = (jobs.c.id, jobs.c.job, jobs.c.server, jobs.c.created, jobs.c.version, jobs.c.record)


def ingest(conn: sa.Connection, arriving: Iterable[Event], now: float, *, valid: bool = False) -> Ingested:
    """Store events and advance the state of their jobs; an event stored already is success, without effect.

    Events of a job that nobody has registered are kept and folded too: the registration may still come. `valid` ones
    come from `wms.event.event` or `validate` and are not looked at again.
    """
    groups, refusals = _grouped(arriving, valid)
    held = _hold(conn, groups)
    pairs = [(held[id.unique], sorted(given, key=order)) for id, given in groups.items() if _ours(id, held)]
    refusals += [Refusal(event, f"{id.unique} is a job of {held[id.unique].server}")
                 for id, given in groups.items() if not _ours(id, held) for event in given]
    histories = _histories(conn, [job for job, given in pairs if not _continues(job, given[0])])
    advances = [advance for job, given in pairs if (advance := _advance(job, given, histories.get(job.key)))]
    _write(conn, advances, now)
    stored = sum(len(advance.fresh) for advance in advances)
    return Ingested(stored, sum(len(given) for _job, given in pairs) - stored, refusals,
                    [Change(job.key, job.unique, job.record, record, fresh) for job, fresh, record in advances])


def _grouped(arriving: Iterable[Event], valid: bool) -> tuple[dict[JobId, list[Event]], list[Refusal]]:
    """The valid events by job, and the others."""
    groups: dict[str, list[Event]] = {}
    refusals: list[Refusal] = []
    for event in arriving if valid else _valid(arriving, refusals):
        groups.setdefault(event.job, []).append(event)
    found = {JobId.parse(url): group for url, group in groups.items()}
    refusals += [Refusal(event, f"an identifier longer than {LONGEST_ID} characters")
                 for id in found if len(id.unique) > LONGEST_ID for event in found[id]]
    return {id: group for id, group in found.items() if len(id.unique) <= LONGEST_ID}, refusals


def _valid(arriving: Iterable[Event], refusals: list[Refusal]) -> Iterator[Event]:
    for event in arriving:
        try:
            yield validate(event)
        except BadEvent as error:
            refusals.append(Refusal(event, error.message))


def refold(conn: sa.Connection, keys: Sequence[int], now: float) -> list[Change]:
    """Make the records of these jobs (keys of their rows) anew from all their events, and all columns with them."""
    chosen = sa.select(*_HELD).where(jobs.c.id.in_(keys), jobs.c.version > 0).order_by(jobs.c.job).with_for_update()
    held = [_held(*row) for row in conn.execute(chosen).all()]
    histories = _histories(conn, held)
    advances = [_Advance(job, (), fold(histories[job.key])) for job in held]
    _write(conn, advances, now)
    return [Change(job.key, job.unique, job.record, record, ()) for job, _fresh, record in advances]


def _hold(conn: sa.Connection, groups: Mapping[JobId, Sequence[Event]]) -> dict[str, _Held]:
    """The rows of these jobs by unique part, made where there were none.

    Writers of several processes make rows first and lock all afterwards, in one order each: no deadlock. A purge
    may delete a row in between, or somebody speak of a job before its registration: then it is made after all, and
    a deadlock, should that be one, passes with another try.
    """
    dialect, uniques = conn.dialect.name, {id.unique for id in groups}
    named = {"uniques": listed(dialect, uniques)}
    if any(event.type == "RegJob" for given in groups.values() for event in given):
        _make(conn, groups, named)
    for _time in range(HOLD_TIMES):
        held = {row.job: _held(*row) for row in conn.execute(_locked(dialect), named).all()}
        if len(held) == len(uniques):
            return held
        _make(conn, groups, named)
    raise Unavailable("Jobs of these events are being purged again and again.")


@lru_cache
def _locked(dialect: str) -> sa.Select[Any]:
    return sa.select(*_HELD).where(among(dialect, jobs.c.job, "uniques")).order_by(jobs.c.job).with_for_update()


@lru_cache
def _present(dialect: str) -> sa.Select[Any]:
    return sa.select(jobs.c.job).where(among(dialect, jobs.c.job, "uniques"))


def _make(conn: sa.Connection, groups: Mapping[JobId, Sequence[Event]], named: Mapping[str, Any]) -> None:
    """Rows of those of these jobs that have none."""
    known = set(conn.execute(_present(conn.dialect.name), named).scalars())
    write(conn, Way.KEEP, jobs, [
        {"job": id.unique, "server": f"{id.host}:{id.port}", "created": groups[id][0].timestamp}
        for id in sorted(groups, key=attrgetter("unique")) if id.unique not in known])


def _held(key: int, unique: str, server: str, created: float, size: int, record: bytes) -> _Held:
    return _Held(key, unique, server, created, size, _decode(record) if size else None)


def _ours(id: JobId, held: Mapping[str, _Held]) -> bool:
    return held[id.unique].server == f"{id.host}:{id.port}"


def _continues(job: _Held, first: Event) -> bool:
    """True if everything stored comes before `first`: nothing is repeated, and stepping is enough."""
    return job.record is None or (bool(job.record.jobtype) and in_order(job.record, first))


def _histories(conn: sa.Connection, late: Sequence[_Held]) -> dict[int, list[Event]]:
    """All stored events of these jobs."""
    histories: dict[int, list[Event]] = {job.key: [] for job in late}
    urls = {job.key: f"https://{job.server}/{job.unique}" for job in late}
    if late:
        for row in conn.execute(sa.select(events).where(events.c.job.in_(urls))).mappings():
            histories[row["job"]].append(from_row(dict(row), urls[row["job"]]))
    return histories


def _advance(job: _Held, given: Sequence[Event], history: Sequence[Event] | None) -> _Advance | None:
    """What becomes of a job; None if it knew all that was given. `history` is needed only out of order."""
    known = set(map(duplicate_key, history or ()))
    fresh = list({key: event for event in given if (key := duplicate_key(event)) not in known}.values())
    if not fresh:
        return None
    if history is None and job.record is not None:
        return _Advance(job, fresh, reduce(lambda record, event: step(record, event)[0], fresh, job.record))
    return _Advance(job, fresh, fold([*(history or ()), *fresh]))


def _write(conn: sa.Connection, advances: Sequence[_Advance], now: float) -> None:
    write(conn, Way.INSERT, events, [
        to_row(held.key, held.size + index, event, now)
        for held, fresh, _record in advances for index, event in enumerate(fresh)])
    write(conn, Way.REVISE, jobs, [_row(advance) for advance in advances], fixed=("job", "server"),
          large="record")
    write(conn, Way.REPLACE, tags, [
        row for held, _fresh, record in advances if record.user_tags for row in _tags(held, record)])


def _tags(held: _Held, record: Record) -> Iterator[dict[str, Any]]:
    """The rows of tags that are not as they were."""
    before = held.record
    known = before.user_tags if before is not None and before.version == MACHINE_VERSION else {}
    if known is not record.user_tags:
        for name, value in record.user_tags.items():
            if known.get(name) != value and len(name) <= LONGEST_TAG:
                yield {"job": held.key, "name": name, "value": value[:LONGEST_TAG]}


def _row(advance: _Advance) -> dict[str, Any]:
    held, fresh, record = advance
    return {
        "id": held.key, "job": held.unique, "server": held.server,
        "owner": _canonical(record.owner)[:LONGEST_COLUMN], "state": record.state.code,
        "type": record.jobtype.value, "parent": record.parent_job.rpartition("/")[2][:LONGEST_COLUMN],
        "created": min([held.created, *(event.timestamp for event in fresh)]),
        "done_code": record.done_code.value, "entered": record.state_enter_time,
        "destination": record.destination[:LONGEST_COLUMN],
        "location": "" if record.location == NOWHERE else record.location[:LONGEST_COLUMN],
        "updated": record.last_update_time, "version": held.size + len(fresh), "record": _encode(record)}


def refuse(conn: sa.Connection, bodies: Sequence[tuple[bytes, str]], now: float) -> None:
    """Keep (body, reason) of what cannot be stored, for a person to look at."""
    if bodies:
        conn.execute(refused.insert(), [
            {"at": now, "body": body, "reason": reason} for body, reason in bodies])
