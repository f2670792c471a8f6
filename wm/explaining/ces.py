"""Answers questions about computing elements, drains and resumes them. A drain holds before it is answered."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from wm import drains
from wm.drains import Drains
from wm.recovery.memories import Memories
from wm.supply.listing import chosen, detail, summary, told
from wm.supply.market import Market
from wm.supply.own import Drain, drains_of
from wms.errors import Refused, UnknownResource, WmsError
from wms.messages.questions import AskCes, CesAnswer, DrainAnswer, DrainCe, NoAnswer
from wms.operations.ces import CeList, DrainReply
from wms.resource import ComputingElement
from wms.service import Kit

MOST_REASON = 1000


class CeDesk:
    """`answer` for the desk of questions."""

    def __init__(self, kit: Kit, market: Market, known: Drains, memories: Memories) -> None:
        self._kit = kit
        self._market = market
        self._drains = known
        self._memories = memories

    async def answer(self, question: AskCes | DrainCe) -> CesAnswer | DrainAnswer | NoAnswer:
        try:
            if isinstance(question, AskCes):
                return CesAnswer(question.query, await self._listed(question))
            return DrainAnswer(question.query, await self._drained(question))
        except WmsError as error:
            return NoAnswer(question.query, error.record(), error.status)

    # -- looking -----------------------------------------------------------------------------------------

    async def _listed(self, question: AskCes) -> CeList:
        snapshot, now = await self._market.current(), self._kit.now()
        found = chosen(snapshot, question.ce)
        if question.ce and not found:
            raise self._unknown(question.ce)
        aside = Counter(ce for ce, _ in self._memories.aside())
        ces = tuple(summary(ce, self._drains.rows, aside, now) for ce in found)
        details = tuple(detail(snapshot, ce, self._health(ce.backend), now) for ce in ces) if question.full else ()
        return CeList(ces, details, told([drain for _, drain in sorted(self._drains.rows.items())]),
                      dict(sorted(self._market.silent.items())))

    def _health(self, backend: str) -> dict[str, Any]:
        """What stands between us and a configured CE tells how it is."""
        health = getattr(self._kit.backends.get(backend), "health", None)
        found: dict[str, Any] = msgspec.to_builtins(health()) if health is not None else {}
        return found

    @staticmethod
    def _unknown(ce: str) -> UnknownResource:
        return UnknownResource(f"There is no computing element {ce[:255]}.", value=ce[:255],
                               hint="`wms ce list` shows those that are known.")

    # -- draining ----------------------------------------------------------------------------------------

    async def _drained(self, question: DrainCe) -> DrainReply:
        snapshot = await self._market.current()
        found = chosen(snapshot, question.ce)
        known = found or question.ce in {*self._kit.backends, *snapshot.void, *self._drains.rows}
        if not known or not question.ce:
            raise self._unknown(question.ce)
        if question.drain:
            await self._drain(question)
        elif await self._kit.database.transact(drains.remove, question.ce):
            self._kit.log.info("{ce} is resumed by {by}: it gets jobs again", ce=question.ce, by=question.by)
        await self._kit.database.read(self._drains.load)
        await self._market.say()
        return self._reply(question.ce, found)

    async def _drain(self, question: DrainCe) -> None:
        reason = " ".join("".join(c if c.isprintable() else " " for c in question.reason).split())[:MOST_REASON]
        if not reason:
            raise Refused("Say why: users whose jobs wait for it are told.")
        drain = Drain(question.ce, reason, question.by, self._kit.now())
        await self._kit.database.transact(drains.put, drain)
        self._kit.log.warn("{ce} is drained by {by}: {reason}", ce=drain.ce, by=drain.by, reason=drain.reason)

    def _reply(self, ce: str, found: list[ComputingElement]) -> DrainReply:
        left = {drain.ce: drain for one in found for drain in drains_of(one, self._drains.rows)}
        if ce in self._drains.rows:
            left[ce] = self._drains.rows[ce]
        return DrainReply(ce, tuple(one.id for one in found), told([drain for _, drain in sorted(left.items())]))


class Draining:
    """A part: what is drained is known before anything is matched."""

    def __init__(self, kit: Kit, known: Drains) -> None:
        self._kit = kit
        self._drains = known

    async def start(self) -> None:
        await self._kit.database.read(self._drains.load)

    async def stop(self) -> None: ...
