"""Queries by conditions, as handlers of remote operations: who may ask what, how much is told, and in which form.

What is found comes from lb.queries.search and lb.queries.search_events, what is told of a job from lb.queries.flags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import msgspec
import sqlalchemy as sa

from lb import children, query
from lb.access.denials import Gate
from lb.access.rights import Action, View
from lb.queries import replies, search
from lb.queries.condition_texts import from_given, from_lines, from_url
from lb.queries.condition_values import Asked
from lb.queries.conditions import EVENTS, Conditions, Operator, grouped
from lb.queries.flags import Telling, child_records, read_flags, texts
from lb.queries.found_events import EventHit, in_order
from lb.queries.found_events import cursor as event_cursor
from lb.queries.found_events import read_cursor as read_event_cursor
from lb.queries.replies import NDJSON, Answer
from lb.queries.search import Hit, Search, Sight, read_cursor, taken
from lb.queries.search_events import event_search
from lb.queries.search_plan import plan, require_index
from lb.query import Found
from wms.errors import JobPurged, NothingFound, Refused, TooManyResults
from wms.httpd import Call, Handler
from wms.identity import Identity
from wms.jobid import JobId
from wms.operations.bookkeeping import ChildHistogram, Children, EventQuery, FoundEvents, JobList, JobQuery
from wms.service import Kit
from wms.streaming import StreamReply

PAGE_S, STREAM_S = 30.0, 3600.0
"""A page ends early after this, and a stream; both tell where to go on."""
TOGETHER = 500
"""Jobs of an answer that are in memory at the same time."""
NO_LIMIT = 1 << 62


class Book(Protocol):
    """What queries need of the handlers of single jobs."""

    @property
    def kit(self) -> Kit: ...

    @property
    def gate(self) -> Gate: ...

    async def readable(self, call: Call) -> Found: ...

    async def settled(self) -> None: ...


def query_handlers(book: Book) -> dict[str, Handler]:
    """The operations of this topic by name."""
    found = Queries(book)
    return {"lb.query_jobs": found.jobs, "lb.query_events": found.events, "lb.children": found.children,
            "lb.histogram": found.histogram}


@dataclass(frozen=True, slots=True)
class Queries:
    """The handlers and what they need."""

    book: Book

    async def jobs(self, call: Call) -> JobList | StreamReply:
        """Jobs that satisfy conditions."""
        body: JobQuery = call.body
        asked, gate = self._asked(call), self.book.gate
        conditions = _conditions(body, asked)
        flags = read_flags(body.flags)
        self._require_index(call.user, conditions)
        await self.book.settled()
        question = Search(self.book.kit.database, plan(conditions), sight(gate, call.user))
        start = read_cursor(body.cursor, question.plan)
        limit = self._limit(call, body, conditions, "owner", self.book.kit.settings.lb.max_jobs)
        telling = self.telling(call.user, flags)

        async def told(hits: list[Hit]) -> list[bytes]:
            return await self.book.kit.database.read(texts, [(hit.view, hit.found) for hit in hits], telling)

        steps = taken(question.steps(start, min(limit + 1, TOGETHER)), limit, self._ends(call))
        answer = replies.told(steps, told, search.cursor)
        found = await self._answer(call, body, limit, conditions, "jobs", answer)
        return found if isinstance(found, StreamReply) else JobList(replies.raw(found.texts), found.cursor)

    async def events(self, call: Call) -> FoundEvents | StreamReply:
        """Events that satisfy conditions, of jobs that satisfy others."""
        body: EventQuery = call.body
        asked = self._asked(call)
        conditions = _conditions(body, asked)
        about = grouped([*from_given(body.event_conditions, asked, table=EVENTS),
                         *from_lines(body.event_lines, asked, table=EVENTS)])
        self._require_index(call.user, conditions, also=any(group[0].attribute == "time" for group in about))
        await self.book.settled()
        jobs = Search(self.book.kit.database, plan(conditions), sight(self.book.gate, call.user))
        question = event_search(jobs, about)
        start = read_event_cursor(body.cursor, question.parts)
        limit = self._limit(call, body, conditions, "jobid", self.book.kit.settings.lb.max_events)
        answer = replies.told(taken(question.steps(start), limit, self._ends(call)), _event_texts, event_cursor)
        found = await self._answer(call, body, limit, conditions, "events", answer)
        return found if isinstance(found, StreamReply) else FoundEvents(replies.raw(found.texts), found.cursor)

    async def children(self, call: Call) -> Children:
        """A page of the children of a job; with the flag childstat, their records."""
        parent, flags = await self._parent(call), read_flags([call.query.get("flags", "")])
        limit, cursor = self._page(call), call.query.get("cursor", "")
        read = self.book.kit.database.read
        if "childstat" not in flags:
            page = await read(children.ids, parent.unique, limit=limit, cursor=cursor)
            return Children(parent.status.job_id, tuple(page.ids), (), page.cursor)
        telling = self.telling(call.user, flags)

        def records(conn: sa.Connection) -> tuple[list[bytes], str]:
            found = children.records(conn, parent.unique, limit=limit, cursor=cursor)
            return list(map(msgspec.json.encode, child_records(conn, found.jobs, telling))), found.cursor

        told, following = await read(records)
        return Children(parent.status.job_id, (), replies.raw(told), following)

    async def histogram(self, call: Call) -> ChildHistogram:
        """How many children are in each state."""
        parent, thorough = await self._parent(call), "thorough" in call.query
        counted = await self.book.kit.database.read(children.histogram, parent.unique, thorough)
        return ChildHistogram(parent.status.job_id, dict(counted), thorough)

    def telling(self, user: Identity, flags: frozenset[str]) -> Telling:
        most = self.book.kit.settings.lb
        return Telling(flags, sight(self.book.gate, user), most.max_jobs, most.max_events)

    def _asked(self, call: Call) -> Asked:
        return Asked(call.user.dn, self.book.kit.now())

    async def _parent(self, call: Call) -> Found:
        found = await self.book.readable(call)
        if self.book.gate.view(call.user, found.status) <= View.MONITORING:
            raise self.book.gate.refusal(call.user, found.status.job_id)
        return found

    def _page(self, call: Call) -> int:
        text, most = call.query.get("limit", ""), self.book.kit.settings.lb.max_jobs
        if text and not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise Refused(f"limit must be a number, not '{text[:50]}'.", parameter="limit")
        return max(1, min(most, int(text or most)))

    def _require_index(self, user: Identity, conditions: Conditions, *, also: bool = False) -> None:
        rule = self.book.kit.settings.lb.index_rule
        free = rule == "nobody" or (rule == "users" and self.book.gate.permits(Action.ADMIN_ACCESS, user))
        require_index(conditions, also=also or free)

    def _limit(self, call: Call, body: JobQuery | EventQuery, conditions: Conditions, single: str, hard: int) -> int:
        """How many at most."""
        if streamed(call):
            return body.limit or NO_LIMIT
        if body.policy == "all" and only(conditions, single):
            return NO_LIMIT
        return min(body.limit or hard, hard) if body.policy != "all" else hard

    def _ends(self, call: Call) -> Callable[[], bool]:
        ends = self.book.kit.now() + (STREAM_S if streamed(call) else PAGE_S)
        return lambda: self.book.kit.now() >= ends

    async def _answer(self, call: Call, body: JobQuery | EventQuery, limit: int, conditions: Conditions, name: str,
                      answer: Answer) -> replies.Told | StreamReply:
        """In the form that was asked for; raises NothingFound and the like, and TooManyResults as the policy has it."""
        if streamed(call) or limit == NO_LIMIT:
            first, answer = await replies.begun(answer)
            await self._require_some(call.user, body, conditions, first)
            return replies.lines(answer) if streamed(call) else replies.json_list(name, answer)
        found = await replies.whole(answer)
        await self._require_some(call.user, body, conditions, found)
        if found.cursor and body.policy != "limited":
            raise TooManyResults(f"There are more than {len(found.texts)} {name}.", limit=limit,
                                 hint="Narrow the conditions, or take the first with the policy `limited`.")
        return found

    async def _require_some(self, user: Identity, body: JobQuery | EventQuery, conditions: Conditions,
                            found: replies.Told) -> None:
        """Why there is nothing, if there is nothing: a single job may be hidden, or purged."""
        if found.texts or found.cursor or body.cursor:
            return
        job = only(conditions, "jobid")
        if job and found.hidden:
            raise self.book.gate.refusal(user, job)
        if job:
            unique = JobId.parse(job).unique
            absent = await self.book.kit.database.read(query.missing, [unique])
            if isinstance(absent[unique], JobPurged):
                raise absent[unique]
        raise NothingFound("Nothing satisfies the conditions, as far as you may see.")


def sight(gate: Gate, user: Identity) -> Sight:
    """What somebody sees now, for a search."""
    return Sight(user, gate.policy, gate.salt)


def streamed(call: Call) -> bool:
    """Is the answer to come in lines?"""
    return "stream" in call.query or NDJSON in call.accept


def only(conditions: Conditions, attribute: str) -> str:
    """The one value that an attribute must have, "" if there is none."""
    values = [group[0].value for group in conditions
              if len(group) == 1 and group[0].attribute == attribute and group[0].operator is Operator.EQUAL]
    return str(values[0]) if values else ""


def _conditions(body: JobQuery | EventQuery, asked: Asked) -> Conditions:
    return grouped([*from_given(body.conditions, asked), *from_url(body.query, asked), *from_lines(body.lines, asked)])


async def _event_texts(hits: list[EventHit]) -> list[bytes]:
    return [msgspec.json.encode(event) for event in in_order(hits)]
