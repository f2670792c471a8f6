"""Events over HTTPS: the lines of a body, each judged, stored or refused by itself; the answer comes after the commit.

Who may log what is decided in lb.access.senders, how events are stored in lb.store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from lb import ulm_log, zombies
from lb.access.denials import Gate
from lb.access.rights import Action, View
from lb.access.senders import NOBODY, Here, Objection, Sender, Standing, after, is_exclusive, is_plain, judged
from lb.keeper import Follower, keep
from lb.rows import from_row
from lb.store import Refusal
from lb.tables import events, jobs
from lb.ulm_log import Entry, Problem
from lb.waiting import Waiters
from wms import queue
from wms.errors import BadEvent, NoSuchJob, NotAuthorized, Refused, SandboxTooLarge
from wms.event import EVENT_TYPES, Event, Source, duplicate_key
from wms.httpd import Call, Handler
from wms.identity import Identity
from wms.messages.topics import LB, LB_CHILDREN
from wms.operations.logging import LastCode, Logged, RefusedLine
from wms.seqcode import START, SequenceCode
from wms.service import Kit

MAX_BYTES = 8_000_000
MAX_LINES = 5_000
SMALL = 20_000
"""Bytes of a body that are read at once, not beside the reactor."""
_SOURCES = {source.value.lower(): source for source in Source}
_REGISTERED = sa.select(jobs.c.job, jobs.c.record).where(
    jobs.c.job.in_(sa.bindparam("uniques", expanding=True)), jobs.c.type != "")
_ONE_BY_ONE = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(name, 1)) FROM "
                      "(SELECT unnest(CAST(:uniques AS text[])) AS name ORDER BY name) AS names")
_decode = msgspec.msgpack.Decoder(Standing).decode


class _Clock(msgspec.Struct, frozen=True):
    """What a sequence code goes on from, of a stored record."""

    last_seqcode: SequenceCode | None = None


_decode_clock = msgspec.msgpack.Decoder(_Clock).decode


class Taken(NamedTuple):
    """What became of a batch: the answer, and denials by action and job."""

    logged: Logged
    denials: Counter[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Intake:
    """The handlers and what they need; `followers` are those of the daemon's inbox."""

    kit: Kit
    waiters: Waiters
    gate: Gate
    followers: Sequence[Follower]

    def handlers(self) -> dict[str, Handler]:
        return {"lb.log": self.log, "lb.sequence_code": self.sequence_code}

    async def log(self, call: Call) -> Logged:
        """Store the lines of the body."""
        body = call.content.read()
        lines = _lines(body)
        found = await self.kit.thread(_read, lines) if len(body) > SMALL else _read(lines)
        sender = self._sender(call)
        done = await self.kit.database.transact(
            take, found, sender, self._here(), self.kit.now(), self.followers, self.waiters)
        self.waiters.tell()
        caller = sender.who.dn if sender.who else sender.job
        for (action, job), number in done.denials.items():
            self.gate.denied(action, caller, job, number)
        return done.logged

    async def sequence_code(self, call: Call) -> LastCode:
        """Where the next event of a job goes on."""
        unique = call.params["unique"]
        name = call.query.get("source", "")
        if name and name.lower() not in _SOURCES:
            raise Refused(f"There is no source '{name[:50]}'.", hint=f"One of {', '.join(Source)}.")
        job, standing, code = await self.kit.database.read(_last_code, unique)
        self._require_logger(call, job, standing)
        return LastCode(job, str(code), str(code.advanced(_SOURCES[name.lower()])) if name else "")

    def _require_logger(self, call: Call, job: str, standing: Standing) -> None:
        """Who sees the job, or logs events about any, or holds its token."""
        if call.identity is None:
            if call.capability is None or _unique(call.capability.job) != _unique(job):
                raise NotAuthorized("This token is for another job.")
        elif not (self.gate.permits(Action.LOG_WMS_EVENTS, call.identity)
                  or self.gate.view(call.identity, standing) is not View.NONE):
            raise self.gate.refusal(call.identity, job)

    def _sender(self, call: Call) -> Sender:
        if call.identity is None:
            return Sender(None, job=call.capability.job if call.capability else "")
        return Sender(call.identity, forwards=self._forwards(call.identity))

    def _forwards(self, who: Identity) -> bool:
        return self.gate.is_server(who) or self.gate.permits(Action.ADMIN_ACCESS, who)

    def _here(self) -> Here:
        host, port = self.kit.lb_address
        lb = self.kit.settings.lb
        return Here(f"{host.lower()}:{port}", self.gate.policy, lb.grey_jobs, lb.exclusive_zombies)


def _lines(body: bytes) -> list[bytes]:
    if len(body) > MAX_BYTES:
        raise SandboxTooLarge(f"{len(body)} bytes of events at once; the limit is {MAX_BYTES}.", limit=MAX_BYTES)
    lines = body.split(b"\n")
    if len(lines) > MAX_LINES + 1:
        raise SandboxTooLarge(f"{len(lines)} lines at once; the limit is {MAX_LINES}.", limit=MAX_LINES)
    return lines


def _read(lines: Sequence[bytes]) -> list[Entry | Problem]:
    return list(ulm_log.entries(lines))


def take(conn: sa.Connection, lines: Sequence[Entry | Problem], sender: Sender, here: Here, now: float,
         followers: Sequence[Follower], waiters: Waiters) -> Taken:
    """Store what the sender may log, in the transaction of `conn`, at `now` (epoch s)."""
    entries = [line for line in lines if isinstance(line, Entry)]
    _line_up(conn, {_unique(entry.event.job) for entry in entries if is_exclusive(entry.event)})
    standings = _standings(conn, {_unique(job) for entry in entries for job in (entry.event.job, _parent(entry.event))})
    if doubtful := {unique for entry in entries if (unique := _unique(entry.event.job)) not in standings
                    and not is_plain(entry.event)}:
        standings |= dict.fromkeys(zombies.known(conn, doubtful), Standing(purged=True))
        here = replace(here, coming=_coming(conn))
    accepted, objections, known = _sorted_out(conn, entries, sender, here, standings)
    plain = sender.who is None or "\0" not in sender.who.dn
    ingested = keep(conn, accepted.values(), now, followers, valid=plain)
    waiters.note(ingested.changed)
    refused = [_misread(line) for line in lines if isinstance(line, Problem)]
    refused += [RefusedLine(entry.number, said.code, said.reason, said.permanent) for entry, said in objections]
    refused += _unstorable(accepted, ingested.refused)
    return Taken(
        Logged(ingested.stored, ingested.duplicates + known, tuple(sorted(refused, key=attrgetter("line")))),
        Counter((said.action, entry.event.job) for entry, said in objections if said.action))


def _sorted_out(conn: sa.Connection, entries: Iterable[Entry], sender: Sender, here: Here,
                standings: dict[str, Standing]) -> tuple[dict[int, Event], list[tuple[Entry, Objection]], int]:
    """The events to store by line, the lines refused, and how many lines are refused only since they are stored."""
    accepted: dict[int, Event] = {}
    objections: list[tuple[Entry, Objection]] = []
    known = 0
    for entry in entries:
        unique = _unique(entry.event.job)
        job = standings.get(unique, NOBODY)
        found = judged(entry.event, sender, job, here, standings.get(_unique(_parent(entry.event)), NOBODY))
        if isinstance(found, Event):
            accepted[entry.number] = found
            standings[unique] = after(job, found)
        elif found.stored_as is not None and _is_stored(conn, found.stored_as):
            known += 1
        else:
            objections.append((entry, found))
    return accepted, objections, known


def _parent(event: Event) -> str:
    """The job that a registration names as its parent; itself otherwise."""
    return str(event.fields.get("parent", event.job)) if event.type == "RegJob" else event.job


def _line_up(conn: sa.Connection, uniques: Set[str]) -> None:
    """Where several processes write, have those that would each be the first to register a job look one by one."""
    if uniques and conn.dialect.name == "postgresql":
        conn.execute(_ONE_BY_ONE, {"uniques": list(uniques)})


def _standings(conn: sa.Connection, uniques: Set[str]) -> dict[str, Standing]:
    """What rights need to know of those of these jobs that are registered."""
    return {unique: _decode(record) for unique, record in conn.execute(_REGISTERED, {"uniques": list(uniques)}).all()}


def _coming(conn: sa.Connection) -> bool:
    """May registrations be under way, by the daemons or as children of a registered job?"""
    return any(queue.span(conn, topic) is not None for topic in (LB, LB_CHILDREN))


def _is_stored(conn: sa.Connection, event: Event) -> bool:
    """Is this very event there: was it sent again, because the first answer was lost?"""
    chosen = sa.select(events).join(jobs, jobs.c.id == events.c.job).where(
        jobs.c.job == _unique(event.job), events.c.type == EVENT_TYPES[event.type].code,
        events.c.timestamp == event.timestamp)
    rows = conn.execute(chosen).mappings()
    return any(duplicate_key(from_row(dict(row), event.job)) == duplicate_key(event) for row in rows)


def _misread(problem: Problem) -> RefusedLine:
    return RefusedLine(problem.number, BadEvent.code, problem.reason, True, problem.lb_code)


def _unstorable(accepted: Mapping[int, Event], refusals: Iterable[Refusal]) -> list[RefusedLine]:
    reasons = {duplicate_key(refusal.event): refusal.reason for refusal in refusals}
    return [RefusedLine(line, BadEvent.code, reasons[key], True)
            for line, event in accepted.items() if (key := duplicate_key(event)) in reasons] if reasons else []


def _last_code(conn: sa.Connection, unique: str) -> tuple[str, Standing, SequenceCode]:
    """URL of a job, who has rights to it, the code to go on from. Raises NoSuchJob."""
    row = conn.execute(sa.select(jobs.c.server, jobs.c.record).where(jobs.c.job == unique, jobs.c.type != "")).first()
    if row is None:
        raise NoSuchJob(f"No job {unique[:200]} is registered here.", job=unique[:200])
    return f"https://{row.server}/{unique}", _decode(row.record), _decode_clock(row.record).last_seqcode or START


def _unique(job: str) -> str:
    return job.rpartition("/")[2]
