"""list-match: the Workload Manager is asked by the same function that matches jobs (ns.questions)."""

from __future__ import annotations

from uuid import uuid4

from ns.admission import admit_question
from ns.questions import Questions
from wms.errors import NotAllowedNow, RemoteError, TimedOut, UnknownResource
from wms.httpd import Call
from wms.messages.questions import ListMatch, MatchAnswer
from wms.operations import Check, ListMatchRequest, Match, MatchList, RegisterRequest
from wms.service import Kit

PIN_CHECK_S = 5.0


class ListMatches:
    """Which CEs match, as the Workload Manager says."""

    def __init__(self, kit: Kit, questions: Questions) -> None:
        self._kit = kit
        self._questions = questions

    async def ask(self, call: Call) -> MatchList:
        body, kit = call.body, self._kit
        assert isinstance(body, ListMatchRequest)
        admitted = admit_question(RegisterRequest(body.jdl, "", body.vo), kit.settings, call.user.vo)
        if admitted.submit_to:
            raise NotAllowedNow("Forcing CEId for job-list-match does not make sense.", value=admitted.submit_to)
        patience_s = kit.settings.ns.list_match_timeout_s
        try:
            return _reply(await self._answer(call, body.jdl, admitted.vo, patience_s, body.explain), admitted.doubts)
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

    async def _answer(self, call: Call, jdl: str, vo: str, patience_s: float, explain: bool = False) -> MatchAnswer:
        question = ListMatch(uuid4().hex, jdl, call.user.dn, vo, call.user.fqans, self._questions.topic, explain)
        answer = await self._questions.ask(question, patience_s)
        assert isinstance(answer, MatchAnswer)
        return answer


def _reply(answer: MatchAnswer, doubts: tuple[str, ...]) -> MatchList:
    if answer.error is not None:
        raise RemoteError(answer.error, 400)
    return MatchList(tuple(Match(ce, rank) for ce, rank in answer.ces), answer.reason,
                     tuple(Check(*row) for row in answer.explanation), answer.clauses, doubts)
