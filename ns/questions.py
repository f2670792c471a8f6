"""Questions to other daemons: each travels through the queue, its answer comes back to the one who waits."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import sqlalchemy as sa
from twisted.internet.defer import Deferred

from wms import queue
from wms.errors import RemoteError
from wms.messages import decode
from wms.messages.questions import (
    AskCes,
    CesAnswer,
    CheckAnswer,
    CheckCe,
    DrainAnswer,
    DrainCe,
    Explain,
    ExplainAnswer,
    ListMatch,
    MatchAnswer,
    NoAnswer,
)
from wms.messages.topics import WM_MATCH
from wms.queue import Message
from wms.service import Kit, within

REPLY_TOPICS = "ns-"
"""Prefix of the topics of answers, one topic a process."""
Answer = MatchAnswer | ExplainAnswer | CesAnswer | DrainAnswer | CheckAnswer
Question = ListMatch | Explain | AskCes | DrainCe | CheckCe


class Questions:
    """Holds the open questions of this process by their number; `topic` is where answers come."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._open: dict[str, Deferred[Answer]] = {}
        self.topic = REPLY_TOPICS + uuid4().hex[:12]

    async def ask(self, question: Question, patience_s: float, topic: str = WM_MATCH) -> Answer:
        """Raises TimedOut when no answer has come after `patience_s`, RemoteError when the question is refused."""
        kit, answer = self._kit, Deferred[Answer]()
        self._open[question.query] = answer
        try:
            await kit.database.transact(queue.put, topic, question, now=kit.now())
            return await within(kit.clock, patience_s, answer)
        finally:
            self._open.pop(question.query, None)

    def handle(self, _conn: sa.Connection, messages: Sequence[Message], _now: float) -> None:
        """Answers wake those who wait; an answer nobody waits for is dropped."""
        for message in messages:
            answer = decode(message.body)
            assert isinstance(answer, Answer | NoAnswer)
            self._kit.later(self._settle, answer)

    def _settle(self, answer: Answer | NoAnswer) -> None:
        waiting = self._open.pop(answer.query, None)
        if waiting is not None and not waiting.called:
            if isinstance(answer, NoAnswer):
                waiting.errback(RemoteError(answer.error, answer.status))
            else:
                waiting.callback(answer)
