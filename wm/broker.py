"""The broker: takes the jobs that are due, plans them against one snapshot, records the decisions.

Planning is pure and runs outside any transaction; a job that changed meanwhile is left alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, TypeVar, assert_never

import sqlalchemy as sa

from wm import store
from wm.matching.alike import Alike
from wm.matching.matchmaker import match, why
from wm.matching.planner import Planned, Policy, Refuse, Wait, plan, unknown_pin
from wm.matching.request import WMS_REQUIREMENTS as SITE_REQUIREMENTS
from wm.matching.request import Request, site
from wm.supply.market import Market
from wm.supply.supermarket import Snapshot
from wm.turn import Turns
from wms import queue
from wms.consumer import Record
from wms.errors import ConfigError, JdlError, UnknownResource, WmsError
from wms.eventlog import Journal
from wms.jdl.described import described
from wms.messages import JOBADAPTER, ListMatch, MatchAnswer, Run, Submit, decode
from wms.outbox import Outbox
from wms.queue import Message, Parcel
from wms.resource import ComputingElement
from wms.service import Kit

BATCH = 500
INLINE = 5_000
"""Jobs times CEs up to which planning runs on the reactor; more goes to a thread."""

Decision = Planned | Wait | Refuse
T = TypeVar("T")


class Broker:
    """`work` empties the task queue; `answer` is the same matchmaker for list-match."""

    def __init__(self, kit: Kit, market: Market, turns: Turns) -> None:
        self._kit = kit
        self._market = market
        self._turns = turns
        self._alike = Alike()
        settings = kit.settings.wm
        texts = {"site": settings.requirements} if settings.requirements else SITE_REQUIREMENTS
        try:
            self._policy = Policy(settings.match_retry_s, settings.expiry_s, site(texts, kit.host))
        except JdlError as error:
            raise ConfigError(f"wm.requirements: {error.message}") from None

    async def work(self) -> None:
        """Plan until nothing is due."""
        while rows := await self._kit.database.read(store.due, self._kit.now(), BATCH):
            snapshot, now = await self._market.current(), self._kit.now()
            decisions = await self._planned(rows, snapshot, now)
            await self._kit.database.transact(self._record, rows, decisions, now)

    def _planned(self, rows: Sequence[store.Job], snapshot: Snapshot, now: float) -> Awaitable[list[Decision]]:
        def work() -> list[Decision]:
            return [plan(_request(row, row.request()), snapshot, now, self._kit.rng, self._policy, self._alike.match)
                    for row in rows]

        return _choose(self._kit, len(rows) * len(snapshot.ces), work)

    def _record(self, conn: sa.Connection, rows: Sequence[store.Job], decisions: Sequence[Decision],
                now: float) -> None:
        waiting = store.still_waiting(conn, rows)
        placed: list[dict[str, Any]] = []
        delayed: list[dict[str, Any]] = []
        with self._turns.begin(conn, now) as turn:
            out = turn.out
            for row, decision in zip(rows, decisions, strict=True):
                if (row.id, row.attempt) not in waiting:
                    continue
                submit = row.request()
                journal = turn.journal(submit.job, row.sequence_code, submit.owner)
                match decision:
                    case Planned(ce=ce):
                        placed.append(_place(out, row, submit, ce, journal))
                    case Wait(reason, until):
                        delayed.append(_delay(out, row, reason, until, journal))
                    case Refuse(reason):
                        turn.abort(row, journal, _refusal(reason, row))
                    case _:
                        assert_never(decision)
            store.change_many(conn, placed)
            store.change_many(conn, delayed)

    async def answer(self, messages: Sequence[Message]) -> Record:
        """list-match: match now, reply to the topic that asked."""
        answers: list[Parcel] = []
        for message in messages:
            question = decode(message.body)
            assert isinstance(question, ListMatch)
            answers.append(Parcel(question.reply_topic, "", await self._answer(question)))
        return partial(queue.post, parcels=answers, now=self._kit.now())

    async def _answer(self, question: ListMatch) -> MatchAnswer:
        snapshot, now = await self._market.current(), self._kit.now()
        try:
            request = Request(question.query, described(question.jdl), question.owner, question.fqans,
                              question.vo, submitted=now)
            if pin := unknown_pin(request, snapshot):
                raise UnknownResource(f"There is no computing element {pin} in the information system.", value=pin,
                                      hint="job-list-match shows those that match.")
            return await _choose(self._kit, len(snapshot.ces), lambda: self._match(request, snapshot, now))
        except WmsError as error:
            return MatchAnswer(question.query, (), "", error=error.record())

    def _match(self, request: Request, snapshot: Snapshot, now: float) -> MatchAnswer:
        matches = match(request, snapshot, now, self._policy.site)
        checks = tuple((tally.check, tally.seen, tally.refused) for tally in matches.tallies)
        reason = "" if matches.ranked else why(matches)
        return MatchAnswer(request.id, tuple((one.ce.id, one.rank) for one in matches.ranked), reason, checks)


def _place(out: Outbox, row: store.Job, submit: Submit, ce: ComputingElement, journal: Journal) -> dict[str, Any]:
    """Hand the job to the Job Adapter; what changes in its row."""
    journal.add("Match", dest_id=ce.id)
    journal.add("EnQueued", queue=JOBADAPTER, result="OK")
    out.log(journal.events)
    out.send(JOBADAPTER, Run(submit.job, row.attempt, submit.jdl, ce.id, ce.backend, ce.queue, submit.credential,
                             journal.code, submit.files), submit.job)
    return {"id": row.id, "phase": store.PLACED, "ce": ce.id, "sequence_code": journal.code, "placed_at": out.now}


def _delay(out: Outbox, row: store.Job, reason: str, until: float, journal: Journal) -> dict[str, Any]:
    """A reason is logged when it is news; what changes in the row."""
    if reason != row.reason:
        journal.add("Pending", reason=reason)
        out.log(journal.events)
    return {"id": row.id, "due": until, "reason": reason, "sequence_code": journal.code}


def _request(row: store.Job, submit: Submit) -> Request:
    return Request(submit.job, described(submit.jdl), submit.owner, submit.fqans, submit.vo,
                   tuple(filter(None, row.previous.split("\n"))), row.attempt, submit.submitted)


def _refusal(reason: str, row: store.Job) -> str:
    """An expired request says what it was waiting for."""
    return f"{reason}; {row.reason}" if row.reason else reason


async def _choose(kit: Kit, size: int, work: Callable[[], T]) -> T:
    return work() if size <= INLINE else await kit.thread(work)
