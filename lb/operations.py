"""The remote operations of Logging & Bookkeeping: from a call to a reply.

Rows are read in lb.query, rights decided at the gate (lb.access.denials); pages are in lb.pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa

from lb import query
from lb.access.denials import Gate
from lb.access.rights import View
from lb.access.views import shown, shown_events
from lb.queries.flags import Telling, read_flags, record, status_record, without_texts
from lb.queries.query_operations import query_handlers, sight
from lb.queries.search import Sight
from lb.query import Found
from lb.waiting import ANY, Waiters
from wms import queue
from wms.errors import BadJobId, NoSuchJob, Refused, TooManyResults, WmsError
from wms.event import Event
from wms.httpd import Call, Handler
from wms.identity import Identity
from wms.jobid import JobId
from wms.jobstatus import JobState
from wms.messages.topics import LB
from wms.operations import EventList, JobList, Statuses
from wms.service import Kit

RECHECK_S = 1.0  # news of other processes are found after this
SETTLE_S = 5.0
PAGE_JOBS = 100
_STATES = {state.value.lower(): state for state in JobState}


def handlers(book: Bookkeeping) -> dict[str, Handler]:
    """The questions of this topic by name."""
    return {"lb.status": book.status, "lb.statuses": book.statuses, "lb.jobs": book.jobs,
            "lb.events": book.events, **query_handlers(book)}


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """The handlers and what they need."""

    kit: Kit
    waiters: Waiters
    gate: Gate

    async def status(self, call: Call) -> dict[str, Any]:
        """One job; with wait_s, as soon as it has more than newer_than events (not given: than now)."""
        user, unique = call.user, call.params["unique"]
        known = _number(call.query, "newer_than", -1)
        ends = self.kit.now() + min(_number(call.query, "wait_s", 0), self.kit.settings.lb.max_wait_s)
        with self.waiters.at(unique) as nap:
            while (left := ends - self.kit.now()) > 0 and not nap.ended:
                found = (await self.kit.database.read(query.statuses, [unique])).get(unique)
                if found is not None:
                    seen = self._seen(user, found)
                    if found.version > known >= 0:
                        return status_record(seen)
                    known = max(known, found.version)
                await nap.sleep(min(left, RECHECK_S))
        found = await self.readable(call)
        return await self._flagged(call, found) if "flags" in call.query else status_record(found)

    async def _flagged(self, call: Call, found: Found) -> dict[str, Any]:
        """With what its flags ask for; descriptions are there in any case."""
        most, flags = self.kit.settings.lb, read_flags([call.query["flags"]]) | {"classads"}
        telling = Telling(flags, sight(self.gate, call.user), most.max_jobs, most.max_events)
        return await self.kit.database.read(record, self.gate.view(call.user, found.status), found, telling)

    async def statuses(self, call: Call) -> Statuses:
        """Many jobs; what is wrong with the others is said for each."""
        asked = list(dict.fromkeys(call.body.jobs))
        if len(asked) > self.kit.settings.lb.max_jobs:
            raise TooManyResults(f"At most {self.kit.settings.lb.max_jobs} jobs a call.", asked=len(asked))
        named = {text: self._unique(text) for text in asked}
        uniques = {unique for unique in named.values() if isinstance(unique, str)}
        eyes = sight(self.gate, call.user)
        found = await self.kit.database.read(_records, uniques, eyes)
        if any(isinstance(answer, NoSuchJob) for answer in found.values()):
            await self.settled()
            found = await self.kit.database.read(_records, uniques, eyes)
        answers = {text: found[unique] if isinstance(unique, str) else unique for text, unique in named.items()}
        problems = {text: answer or self.gate.refusal(call.user, text) for text, answer in answers.items()
                    if not isinstance(answer, dict)}
        return Statuses(tuple(answer for answer in answers.values() if isinstance(answer, dict)),
                        {text: problem.record() for text, problem in problems.items()})

    async def jobs(self, call: Call) -> JobList:
        """A page of the caller's jobs, without their descriptions."""
        most = self.kit.settings.lb.max_jobs
        limit = min(most, max(1, int(_number(call.query, "limit", PAGE_JOBS))))
        await self.settled()
        return await self.kit.database.read(
            _user_jobs, sight(self.gate, call.user), limit, _state(call.query.get("state", "")),
            call.query.get("cursor", ""), call.query.get("children") != "no")

    async def events(self, call: Call) -> EventList:
        """The events of one job."""
        found, events = await self.history(call)
        return EventList(found.status.job_id, tuple(map(msgspec.to_builtins, events)))

    async def history(self, call: Call) -> tuple[Found, list[Event]]:
        """The job of the path and its events, as the caller may see them; raises NoSuchJob, NotAuthorized."""
        found = await self._found(call)
        seen = self.gate.view(call.user, found.status)
        if seen is View.NONE:
            raise self.gate.refusal(call.user, found.status.job_id)
        events = await self.kit.database.read(query.events, found.unique) if seen > View.MONITORING else []
        return (found._replace(status=shown(found.status, seen, self.gate.salt)),
                shown_events(events, seen, self.gate.salt))

    async def readable(self, call: Call) -> Found:
        """The job of the path, as the caller may see it; raises NoSuchJob, NotAuthorized."""
        return self._seen(call.user, await self._found(call))

    def _seen(self, user: Identity, found: Found) -> Found:
        return found._replace(status=self.gate.readable(user, found.status))

    async def _found(self, call: Call) -> Found:
        unique = call.params["unique"]
        try:
            return await self.kit.database.read(query.status, unique)
        except NoSuchJob:
            await self.settled()
            return await self.kit.database.read(query.status, unique)

    async def settled(self) -> None:
        """Wait until all events that were on their way here are stored: who has submitted sees the job.

        At most SETTLE_S, then the question is answered with what there is. With none on their way now, those
        of a moment ago may just have been stored: what was not found is to be looked for again in any case.
        """
        database, ends = self.kit.database, self.kit.now() + SETTLE_S
        awaited = await database.read(queue.span, LB)
        left = awaited
        with self.waiters.at(ANY) as nap:
            while awaited and left and left[0] <= awaited[1] and self.kit.now() < ends and not nap.ended:
                await nap.sleep(RECHECK_S)
                left = await database.read(queue.span, LB)

    def _unique(self, text: str) -> str | WmsError:
        """The unique part of an identifier of this server, or what is wrong with it."""
        try:
            id = JobId.parse(text)
        except BadJobId as error:
            return error
        host, port = self.kit.lb_address
        if (id.host, id.port) != (host.lower(), port):
            return NoSuchJob(f"This server keeps jobs of {host}:{port}, not {id.host}:{id.port}.", job=text)
        return id.unique


def _records(conn: sa.Connection, uniques: Set[str], eyes: Sight) -> dict[str, dict[str, Any] | WmsError | None]:
    """The record of each of these jobs, None if it may not be seen, or why there is none."""
    found = {unique: eyes.shown(job) for unique, job in query.statuses(conn, uniques).items()}
    return {**query.missing(conn, uniques - found.keys()),
            **{unique: job and status_record(job) for unique, job in found.items()}}


def _user_jobs(conn: sa.Connection, eyes: Sight, limit: int, state: JobState | None, cursor: str,
               children: bool) -> JobList:
    page = query.user_jobs(conn, eyes.who.dn, limit=limit, state=state, cursor=cursor, children=children)
    seen = [shown for job in page.jobs if (shown := eyes.shown(job)) is not None]
    return JobList(tuple(status_record(without_texts(job)) for job in seen), page.cursor)


def _number(parameters: Mapping[str, str], name: str, default: float) -> float:
    text = parameters.get(name, "")
    if not text:
        return default
    if re.fullmatch(r"\d{1,9}(\.\d*)?", text, re.ASCII) is None:
        raise Refused(f"{name} must be a number, not '{text[:50]}'.", parameter=name)
    return float(text)


def _state(text: str) -> JobState | None:
    if text and text.lower() not in _STATES:
        raise Refused(f"There is no state '{text[:50]}'.", hint=f"One of {', '.join(JobState)}.")
    return _STATES.get(text.lower())
