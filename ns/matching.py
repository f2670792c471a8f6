"""list-match: the question travels to the Workload Manager and the answer back to the one who waits here."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import sqlalchemy as sa
from twisted.internet.defer import Deferred

from ns.admission import admit_question
from wms import queue
from wms.errors import NotAllowedNow, RemoteError, TimedOut, UnknownResource
from wms.httpd import Call
from wms.messages import WM_MATCH, ListMatch, MatchAnswer, decode
from wms.operations import Check, ListMatchRequest, Match, MatchList, RegisterRequest
from wms.queue import Message
from wms.service import Kit, within

PIN_CHECK_S = 5.0
REPLY_TOPICS = "ns-"
"""Prefix of the topics of answers, one topic a process."""


class ListMatches:
    """Holds the open questions of this process by their number."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._open: dict[str, Deferred[MatchAnswer]] = {}
        self.topic = REPLY_TOPICS + uuid4().hex[:12]

    async def ask(self, call: Call) -> MatchList:
        body, kit = call.body, self._kit
        assert isinstance(body, ListMatchRequest)
        admitted = admit_question(RegisterRequest(body.jdl, "", body.vo), kit.settings)
        if admitted.submit_to:
            raise NotAllowedNow("Forcing CEId for job-list-match does not make sense.", value=admitted.submit_to)
        try:
            return _reply(await self._answer(call, body.jdl, admitted.vo, kit.settings.ns.list_match_timeout_s))
        except TimedOut:
            raise TimedOut("The Workload Manager did not answer in time.", hint="Try again.") from None

    async def check_pin(self, call: Call, jdl: str, vo: str) -> None:
        """Refuse a job that is pinned to a CE nobody knows (UnknownResource); with the WM away nothing is said."""
        try:
            answer = await self._answer(call, jdl, vo, PIN_CHECK_S)
        except TimedOut:
            return
        if answer.error is not None and answer.error["code"] == UnknownResource.code:
            raise RemoteError(answer.error, UnknownResource.status)

    async def count(self, call: Call, jdl: str, vo: str) -> int:
        """How many CEs match a job now; raises RemoteError, or TimedOut with the WM away."""
        answer = await self._answer(call, jdl, vo, self._kit.settings.ns.list_match_timeout_s)
        if answer.error is not None:
            raise RemoteError(answer.error, 400)
        return len(answer.ces)

    async def _answer(self, call: Call, jdl: str, vo: str, patience_s: float) -> MatchAnswer:
        kit, answer = self._kit, Deferred[MatchAnswer]()
        question = ListMatch(uuid4().hex, jdl, call.user.dn, vo, call.user.fqans, self.topic)
        self._open[question.query] = answer
        try:
            await kit.database.transact(queue.put, WM_MATCH, question, now=kit.now())
            return await within(kit.clock, patience_s, answer)
        finally:
            self._open.pop(question.query, None)

    def handle(self, _conn: sa.Connection, messages: Sequence[Message], _now: float) -> None:
        """Answers wake those who wait; an answer nobody waits for is dropped."""
        for message in messages:
            answer = decode(message.body)
            assert isinstance(answer, MatchAnswer)
            self._kit.later(self._settle, answer)

    def _settle(self, answer: MatchAnswer) -> None:
        waiting = self._open.pop(answer.query, None)
        if waiting is not None and not waiting.called:
            waiting.callback(answer)


def _reply(answer: MatchAnswer) -> MatchList:
    if answer.error is not None:
        raise RemoteError(answer.error, 400)
    return MatchList(tuple(Match(ce, rank) for ce, rank in answer.ces), answer.reason,
                     tuple(Check(*row) for row in answer.explanation))
