"""Answers questions of the topic wm-match: list-match, why jobs do not run, what is known of CEs; drains CEs.

Each is answered by what is known at that moment; the reasons are worded elsewhere in this folder and in matching.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from wm import store
from wm.broker import EXPLAINED, Broker, chosen
from wm.compounds.store import Compound
from wm.explaining.ces import CeDesk
from wm.explaining.nodes import of_compound, of_node
from wm.explaining.store import Facts, facts
from wm.explaining.waiting import Told, asking, caused, queued, set_aside
from wm.lanes import LaneState
from wm.matching.cycle import Why
from wm.matching.explain import clauses, no_match
from wm.recovery.memories import Memories
from wm.supply.market import Market
from wm.supply.supermarket import Snapshot
from wms import queue
from wms.consumer import Record
from wms.messages import decode
from wms.messages.questions import AskCes, DrainCe, Explain, ExplainAnswer, ListMatch
from wms.operations.explain import Clause, Reason
from wms.queue import Message, Parcel
from wms.reasons import counted, reason, span
from wms.service import Kit


class Desk:
    """`act` is for a consumer; `again_s` is how often the broker looks at all lanes without any news."""

    def __init__(self, kit: Kit, market: Market, broker: Broker, memories: Memories, again_s: float,
                 ces: CeDesk) -> None:
        self._kit = kit
        self._ces = ces
        self._market = market
        self._broker = broker
        self._memories = memories
        self._again_s = again_s

    async def act(self, messages: Sequence[Message]) -> Record:
        """Each answer goes to the topic that asked."""
        answers = [await self._answer(decode(message.body)) for message in messages]
        return partial(queue.post, parcels=[one for one in answers if one.topic], now=self._kit.now())

    async def _answer(self, question: object) -> Parcel:
        match question:
            case ListMatch():
                return Parcel(question.reply_topic, "", await self._broker.list_match(question))
            case Explain():
                return Parcel(question.reply_topic, "", ExplainAnswer(question.query, await self.reasons(question)))
            case AskCes() | DrainCe():
                return Parcel(question.reply_topic, "", await self._ces.answer(question))
            case other:
                raise TypeError(f"nobody answers {type(other).__name__}")

    async def reasons(self, question: Explain) -> tuple[Reason, ...]:
        """Of jobs in the order they are asked for, then of nodes."""
        known: Facts = await self._kit.database.read(facts, question)
        told = _Answers(self._kit, self._broker, self._memories, await self._market.current(), known, self._again_s)
        size = len(told.snapshot.ces) * len(told.classes)
        return await chosen(self._kit, size, partial(told.all, question))


class _Answers:
    """The answers to one question, at one moment."""

    def __init__(self, kit: Kit, broker: Broker, memories: Memories, snapshot: Snapshot, known: Facts,
                 again_s: float) -> None:
        self.snapshot = snapshot
        self._broker, self._memories, self._known = broker, memories, known
        self._now, self._again_s = kit.now(), again_s
        self._most_idle = kit.settings.wm.max_idle_nodes
        lanes = {job.lane for job in known.jobs.values() if job.phase == store.WAITING}
        self._states: Mapping[str, LaneState] = {
            id: state for id in lanes if (state := broker.lanes.states.get(id)) is not None}
        self.classes = {state.row.cls for state in self._states.values()}
        self._found: dict[str, tuple[Told, tuple[Clause, ...]]] = {}
        self._left = EXPLAINED

    def all(self, question: Explain) -> tuple[Reason, ...]:
        jobs = [self._of_job(job) for job in question.jobs]
        return (*jobs, *(self._of_node(one.job, one.parent, one.node) for one in question.nodes))

    def _say(self, job: str, told: Told, at: float = 0.0, next_try: float = 0.0,
             parts: tuple[Clause, ...] = ()) -> Reason:
        return reason(job, told.code, at or self._now, next_try=next_try, clauses=parts, details=told.details,
                      **told.words)

    def _of_job(self, job: str) -> Reason:
        id = job.rsplit("/", 1)[-1]
        if (row := self._known.jobs.get(id)) is not None:
            return self._of_row(job, row)
        whole = self._known.compounds.get(id)
        return self._say(job, Told("arriving") if whole is None else of_compound(whole))

    def _of_node(self, job: str, parent: str, node: int) -> Reason:
        if (row := self._known.jobs.get(job.rsplit("/", 1)[-1])) is not None:
            return self._of_row(job, row)
        known, key = self._known, (parent, node)
        whole: Compound | None = known.compounds.get(parent)
        return self._say(job, of_node(whole, node, known.colours.get(key, ""), known.parents.get(key, []),
                                      known.waiting.get(parent, 0), self._most_idle))

    # -- jobs --------------------------------------------------------------------------------------------

    def _of_row(self, job: str, row: store.Job) -> Reason:
        if row.phase == store.OVER:
            return self._say(job, Told("over", {"outcome": row.reason or "it has ended"}))
        if row.cancelled:
            return self._say(job, Told("cancelling"))
        if row.phase == store.PLACED:
            return self._say(job, queued(row.ce, self.snapshot.ces.get(row.ce), row.placed_at, self._now))
        return self._waiting(job, row)

    def _waiting(self, job: str, row: store.Job) -> Reason:
        state, now = self._states.get(row.lane), self._now
        if state is not None:
            return self._in_lane(job, row, state)
        if row.attempt > 1 and row.due > now:
            told = Told("retry_delay", {"when": span(row.due - now), "failure": row.reason}, {"attempt": row.attempt})
            return self._say(job, told, next_try=row.due)
        return self._say(job, Told("matching"), next_try=now)

    def _in_lane(self, job: str, row: store.Job, state: LaneState) -> Reason:
        """`until` is when the job is given up: it expires, or its credential ends."""
        told, parts = self._of_lane(state)
        at = state.looked if told.code in _OF_THE_CYCLE else self._now
        trial = told.details.get("trial")
        next_try = max(self._now, state.looked + self._again_s) if trial is None else trial
        until = {} if self._broker.asking(state) else {"until": row.due}
        return self._say(job, told._replace(details={**told.details, **until}), at, next_try, parts)

    def _of_lane(self, state: LaneState) -> tuple[Told, tuple[Clause, ...]]:
        cause, row = state.cause, state.row
        if self._broker.asking(state):
            return asking(state.request), ()
        if cause.why in (Why.MATCH, Why.RANK):
            return self._without_match(state)
        if cause.why is Why.ASIDE:
            memories = self._memories
            return set_aside(cause, memories.blocked(row.cls, self._now), memories.next_trial(row.cls, self._now),
                             self._now), ()
        return caused(cause, row.vo, self._broker.rules.quotas), ()

    def _without_match(self, state: LaneState) -> tuple[Told, tuple[Clause, ...]]:
        """Once for all jobs of a class."""
        if state.row.cls not in self._found:
            self._found[state.row.cls] = self._searched(state)
        return self._found[state.row.cls]

    def _searched(self, state: LaneState) -> tuple[Told, tuple[Clause, ...]]:
        """So many CEs and classes are told of in figures in one answer as the broker does in one round."""
        self._left -= len(self.snapshot.ces)
        if self._left < 0:
            return Told("no_match", {"ces": counted(len(self.snapshot.ces), "CE"), "blame": UNTOLD}), ()
        matches = self._broker.matches(state, self.snapshot, self._now)
        parts = clauses(matches)
        if matches.ranked:
            return Told("turn", {"ces": counted(len(matches.ranked), "CE")}, {"ces": len(matches.ranked)}), parts
        return Told(*no_match(matches, parts)), parts


_OF_THE_CYCLE = frozenset({"set_aside", "quota_vo", "quota_user", "quota_ce", "no_slot", "turn", "matching"})
UNTOLD = "ask for this job alone, as clauses are told of a few kinds of jobs at once only"
