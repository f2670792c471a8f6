"""Computing elements: questions and orders that the Workload Manager and the Job Adapter answer."""

from __future__ import annotations

from uuid import uuid4

from ns import delegation_rows
from ns.delegation import credential_id
from ns.once import answered, once
from ns.questions import Question, Questions
from wms.errors import CredentialNotFound, Refused, TimedOut
from wms.httpd import Call
from wms.messages.questions import AskCes, CesAnswer, CheckAnswer, CheckCe, DrainAnswer, DrainCe
from wms.messages.topics import JOBADAPTER_CHECKS, WM_MATCH
from wms.operations.ces import CeList, CheckReport, CheckRequest, DrainReply, DrainRequest, ResumeRequest
from wms.service import Kit

PATIENCE_S = 10.0
MOST_CHARACTERS = 255


class ComputingElements:
    """The operations."""

    def __init__(self, kit: Kit, questions: Questions) -> None:
        self._kit = kit
        self._questions = questions

    async def listing(self, call: Call) -> CeList:
        question = AskCes(uuid4().hex, self._questions.topic, call.query.get("ce", ""), "full" in call.query)
        answer = await self._ask(question, WM_MATCH, "The Workload Manager")
        assert isinstance(answer, CesAnswer)
        return answer.found

    async def drain(self, call: Call) -> DrainReply:
        body = call.body
        assert isinstance(body, DrainRequest)
        return await self._ordered(call, DrainCe(uuid4().hex, self._questions.topic, _name(body.ce), call.user.dn,
                                                 body.reason))

    async def resume(self, call: Call) -> DrainReply:
        body = call.body
        assert isinstance(body, ResumeRequest)
        return await self._ordered(call, DrainCe(uuid4().hex, self._questions.topic, _name(body.ce), call.user.dn,
                                                 drain=False))

    async def _ordered(self, call: Call, order: DrainCe) -> DrainReply:
        """An order that was given before with this key is not given again: what came after it stands."""
        kit = self._kit
        before = await kit.database.read(answered, call, DrainReply)
        if before is not None:
            return before
        answer = await self._ask(order, WM_MATCH, "The Workload Manager",
                                 "It has the order and will follow it; look with `wms ce list`.")
        assert isinstance(answer, DrainAnswer)
        keep_s = kit.settings.ns.idempotency_keep_s
        return await kit.database.transact(once, call, kit.now(), keep_s, DrainReply, lambda: answer.reply)

    async def check(self, call: Call) -> CheckReport:
        body = call.body
        assert isinstance(body, CheckRequest)
        credential = await self._credential(call, body.delegation) if body.delegation else ""
        user = call.user
        return await self._checked(CheckCe(uuid4().hex, self._questions.topic, _name(body.ce), True, body.queue,
                                           credential, body.drain, user.dn, user.vo, user.fqans))

    async def checked(self, call: Call) -> CheckReport:
        return await self._checked(CheckCe(uuid4().hex, self._questions.topic, _name(call.query.get("ce", "")), False))

    async def _checked(self, question: CheckCe) -> CheckReport:
        answer = await self._ask(question, JOBADAPTER_CHECKS, "The Job Adapter")
        assert isinstance(answer, CheckAnswer)
        return answer.report

    async def _credential(self, call: Call, name: str) -> str:
        """The caller's own credential of that name, which must be here and good."""
        id = credential_id(call.user.dn, name)
        row = await self._kit.database.read(delegation_rows.find, id)
        if row is None or row.not_after <= self._kit.now():
            raise CredentialNotFound(f"You have not delegated a credential {name[:64]}, or it has ended.",
                                     hint="job-delegate-proxy -d NAME")
        return id

    async def _ask(self, question: Question, topic: str, who: str, hint: str = "Try again.") -> object:
        try:
            return await self._questions.ask(question, PATIENCE_S, topic)
        except TimedOut:
            raise TimedOut(f"{who} did not answer in time.", hint=hint) from None


def _name(ce: str) -> str:
    if not ce or len(ce) > MOST_CHARACTERS or not ce.isprintable():
        raise Refused("Name a computing element: its id, or the name it has in the configuration.", value=ce[:64])
    return ce
