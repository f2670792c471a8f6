"""The broker: runs matching cycles over the lanes of waiting jobs and one snapshot, and carries out what they say.

Deciding is pure and runs outside any transaction; a job that changed meanwhile is left alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from wm import lane_store, store
from wm.lanes import Fresh, Lanes, LaneState
from wm.matching.board import Board
from wm.matching.broker_info import render
from wm.matching.cycle import Cause, Why
from wm.matching.explain import clauses
from wm.matching.inputs import Decision, Inputs, Rules, decide
from wm.matching.matchmaker import Matches, match, why
from wm.matching.planner import refusal, unknown_pin
from wm.matching.replicas import Replicas
from wm.matching.request import WMS_REQUIREMENTS as SITE_REQUIREMENTS
from wm.matching.request import Request, site
from wm.matching.wording import sentence
from wm.placing import Decided, Placing, Recorder, Settling
from wm.reckoning import Reckoning
from wm.recovery.credentials import Credentials
from wm.recovery.memories import Memories
from wm.recovery.shortness import Shortness
from wm.supply.market import Market
from wm.supply.supermarket import Snapshot
from wm.turn import Turns
from wms.errors import ConfigError, JdlError, UnknownResource, WmsError
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.messages.questions import ListMatch, MatchAnswer
from wms.resource import ComputingElement
from wms.service import Kit, background

BATCH = 500
"""Jobs that are looked at, and placed, in one round."""
INLINE = 5_000
"""Classes times CEs up to which deciding runs on the reactor; more goes to a thread."""
READING = 250
"""Reading a job's description takes as long as so many looks at a CE."""
EXPLAINED = 200_000
"""CEs times classes whose lack of a match is told in figures in one round, as that takes time."""
RELOAD_S, RESOLVE_S, UNRESOLVED_S = 900.0, 60.0, 15.0
"""How old the number of waiting jobs may be, and what catalogues said, where they knew of all files or not."""
UNTOLD_S = 60.0
"""Jobs that wait without a reason, as they were about to go or catalogues were asked, are looked at after this."""

T = TypeVar("T")
Listener = Callable[[Decision], None]


class Resolver(Protocol):
    """Where the data of jobs is: `wm.catalogues`."""

    async def resolve(self, description: JobDescription, vo: str) -> Replicas: ...


class Broker:
    """`work` gives waiting jobs to CEs; `list_match` is the same matchmaker.

    `decided` are called after each cycle is carried out, with all that it went by and its outcome, which follows
    from that.
    """

    def __init__(self, kit: Kit, market: Market, turns: Turns, memories: Memories,
                 catalogues: Resolver | None = None) -> None:
        self._kit = kit
        self._market = market
        self._memories = memories
        self._catalogues = catalogues
        settings = kit.settings.wm
        texts = {"site": settings.requirements} if settings.requirements else SITE_REQUIREMENTS
        try:
            self.site = site(texts, kit.host)
        except JdlError as error:
            raise ConfigError(f"wm.requirements: {error.message}") from None
        renewal = kit.settings.proxyrenewal
        self.credentials = Credentials(kit.credentials.read, renewal.grace_s + 2 * renewal.period_s)
        self.lanes = Lanes(settings, self.site, self.credentials.life)
        self._shortness = Shortness(self.credentials, settings.short_credentials == "abort")
        self.rules = Rules(settings.quotas, settings.shares, settings.half_life_s)
        self.decided: list[Listener] = []
        self._board = Board(self.site)
        self._reckoning = Reckoning(kit)
        self._recorder = Recorder(turns, self.lanes, memories)
        self._loaded, self._sound = float("-inf"), False
        self._turn = 0

    # -- rounds ------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Until nothing is new and nothing more can be placed."""
        await self._load()
        while await self._round():
            pass

    async def _round(self) -> bool:
        """One cycle; True if there is more to do at once."""
        snapshot, now = await self._market.current(), self._kit.now()
        rows = await self._kit.database.read(store.due, now, BATCH)
        self._sound = False
        fresh = await chosen(self._kit, len(rows) * READING, lambda: self.lanes.take(rows, now))
        self._resolve(now)
        await self._reckoning.refresh(now, slots=any(state.row.lazy for state in self.lanes.states.values()))
        hopeless = self._hopeless(snapshot)
        inputs = self._inputs(fresh, hopeless.keys(), snapshot, now)
        decision = await self._choose(inputs, snapshot, lambda: self._decide(inputs, snapshot, fresh))
        placed = await self._carry_out(decision, fresh, hopeless)
        for listener in self.decided:
            listener(decision)
        self._sound = True
        return len(rows) == BATCH or placed > 0 or bool(hopeless)

    def _choose(self, inputs: Inputs, snapshot: Snapshot, work: Callable[[], T]) -> Awaitable[T]:
        new = sum(not self._board.knows(lane.cls) for lane in inputs.lanes) + (snapshot is not self._board.snapshot)
        return chosen(self._kit, new * len(snapshot.ces) + 10 * len(inputs.lanes), work)

    def _decide(self, inputs: Inputs, snapshot: Snapshot, fresh: Fresh) -> Decision:
        """The cycle, and a sentence for each lane in which a job begins to wait."""
        self._board.show(snapshot)
        states = self.lanes.states
        requests = {lane.id: states[lane.id].request for lane in inputs.lanes}
        outcome = decide(inputs, self.rules, self._board, lambda lane: self._board.fit(lane.cls, requests[lane.id]))
        news = [states[id].waits(cause, inputs.id, inputs.now) for id, cause in outcome.waits.items()]
        left = EXPLAINED
        for id in fresh.by_lane:
            left -= self._say(states[id], outcome.waits.get(id), snapshot, inputs.now, left)
        return Decision(inputs, requests, snapshot, outcome, bool(outcome.placements) or any(news))

    def _say(self, state: LaneState, cause: Cause | None, snapshot: Snapshot, now: float, left: int) -> int:
        """The sentence for jobs that begin to wait; what it cost of `left`."""
        if cause is None or cause.why not in (Why.MATCH, Why.RANK) or left < len(snapshot.ces):
            state.said, state.serial = sentence(cause) if cause else "", -1
        elif state.serial != self._board.serial:
            state.said, state.serial = why(self.matches(state, snapshot, now)), self._board.serial
            return len(snapshot.ces)
        return 0

    def matches(self, state: LaneState, snapshot: Snapshot, now: float) -> Matches:
        """What matches the jobs of a lane, with the figures of each check."""
        return match(state.request, snapshot, now, self.site)

    # -- what a cycle goes by ----------------------------------------------------------------------------

    async def _load(self) -> None:
        """At the start, and now and then: what waits, from the table."""
        now = self._kit.now()
        if now - self._loaded >= RELOAD_S or not self._sound:
            moved = await self._kit.database.read(self.lanes.load)
            if moved:
                await self._kit.database.transact(lane_store.loosen, moved, now)
            self._loaded, self._sound = now, True

    def _inputs(self, fresh: Fresh, without: Iterable[str], snapshot: Snapshot, now: float) -> Inputs:
        lanes = tuple(state.lane(fresh.by_lane.get(id, ())) for id, state in self.lanes.states.items()
                      if id not in without and not self.asking(state))
        reckoning, memories, classes = self._reckoning, self._memories, {lane.cls for lane in lanes}
        return Inputs(
            lanes, now, self._kit.rng.getrandbits(64), reckoning.held, reckoning.running, reckoning.past,
            reckoning.claims.counts(snapshot.ces), {cls: ces for cls in classes if (ces := memories.blocked(cls, now))},
            {cls: ces for cls in classes if (ces := memories.trials(cls, now))}, self._turn, BATCH)

    def _hopeless(self, snapshot: Snapshot) -> dict[str, str]:
        """Lanes for which no match will ever come, and why."""
        found = {id: refusal(state.request, snapshot) for id, state in self.lanes.states.items()
                 if state.request.description.submit_to}
        return {id: reason for id, reason in found.items() if reason}

    # -- data --------------------------------------------------------------------------------------------

    def asking(self, state: LaneState) -> bool:
        """Whether catalogues have yet to say where the data of the lane is."""
        return self._catalogues is not None and state.data and not state.answered

    def _resolve(self, now: float) -> None:
        """Ask catalogues beside the work; the broker is woken when they say something new."""
        catalogues = self._catalogues
        for state in self.lanes.states.values() if catalogues is not None else ():
            period = RESOLVE_S if state.request.replicas.complete else UNRESOLVED_S
            if catalogues is not None and state.data and now - state.resolved >= period:
                state.resolved = now
                _ = background(self._ask(state, catalogues), self._kit.log)

    async def _ask(self, state: LaneState, catalogues: Resolver) -> None:
        replicas = await catalogues.resolve(state.request.description, state.request.vo)
        if replicas != state.request.replicas or not state.answered:
            state.request, state.answered, state.serial = replace(state.request, replicas=replicas), True, -1
            self._kit.database.wake({store.TASKQUEUE})

    # -- carrying out ------------------------------------------------------------------------------------

    async def _carry_out(self, decision: Decision, fresh: Fresh, hopeless: Mapping[str, str]) -> int:
        """Record what was decided; how many jobs were placed, or are not there any more: others may go for them."""
        outcome, snapshot, now = decision.outcome, decision.snapshot, decision.inputs.now
        states, going = self.lanes.states, defaultdict[str, list[str]](list)
        for one in outcome.placements:
            going[one.lane] += [one.ce] * one.jobs
        wanted = {**{id: len(ces) for id, ces in going.items()}, **dict.fromkeys(hopeless, BATCH)}
        more = {id: number + 1 for id, number in wanted.items() if states[id].settled}
        older = await self._kit.database.read(lane_store.heads, more) if more else {}
        decided, missing = Decided(decision.inputs.id, refusing=list(fresh.refused)), 0
        for id in sorted(fresh.by_lane.keys() | wanted.keys()):
            known, state = older.get(id, []), states[id]
            order = self._order(state, fresh.by_lane.get(id, ()), known, more.get(id, 0))
            missing += max(0, len(going[id]) - len(order)) if len(known) < more.get(id, 0) else 0
            if id in hopeless:
                decided.refusing += [(job, hopeless[id]) for job in order]
                state.moved(len(order), (), 0.0)
            else:
                missing += self._share_out(decided, state, fresh, order, _told(state.request, going[id], snapshot), now)
        placed = await self._kit.database.transact(self._recorder.record, decided, now)
        self._reckoning.placed([(one.job.id, one.lane, one.ce.id) for one in decided.placing if one.job.id in placed],
                               now)
        self._turn = outcome.turn
        for id, turn in outcome.served.items():
            states[id].served = turn
        self.lanes.tidy()
        return len(placed) + missing

    @staticmethod
    def _order(state: LaneState, new: Sequence[store.Job], known: Sequence[store.Job], asked: int) -> list[store.Job]:
        """New and settled jobs of a lane, the oldest first; when fewer than `asked` for are known, these are all."""
        fresh = {job.id for job in new}
        settled = [job for job in known if job.decision and job.id not in fresh]
        if asked:
            least = len(settled) + (len(settled) < len(known))
            state.settled = max(state.settled, least) if len(known) >= asked else len(settled)
        return sorted((*new, *settled), key=lambda job: (job.submitted, job.id))

    def _share_out(self, decided: Decided, state: LaneState, fresh: Fresh, order: Sequence[store.Job],
                   ces: Sequence[tuple[ComputingElement, str]], now: float) -> int:
        """The oldest jobs of a lane go, those that are new and do not go begin to wait; how many end instead."""
        going, left = order[:len(ces)], order[len(ces):]
        staying = [job for job in left if job.id in fresh.until]
        refused = 0
        for job, (ce, info) in zip(going, ces, strict=False):
            submit = job.request()
            short = self._shortness.of(job, submit, state.needs_s, ce, now)
            if short.ends:
                decided.refusing.append((job, short.reason))
                refused += 1
            else:
                decided.placing.append(Placing(job, state.row, ce, info, submit, short.reason))
        again = float("inf") if state.said else now + UNTOLD_S
        decided.settling += [Settling(job, state.row, min(fresh.until[job.id], again), state.said,
                                      state.decision or decided.id) for job in staying]
        state.moved(sum(job.id not in fresh.until for job in going), staying, left[0].submitted if left else 0.0)
        return refused

    # -- list-match --------------------------------------------------------------------------------------

    async def list_match(self, question: ListMatch) -> MatchAnswer:
        """Match now."""
        snapshot, now = await self._market.current(), self._kit.now()
        try:
            description = described(question.jdl)
            replicas = await self._catalogues.resolve(description, question.vo) if self._catalogues else Replicas()
            request = Request(question.query, description, question.owner, question.fqans, question.vo,
                              submitted=now, replicas=replicas)
            if pin := unknown_pin(request, snapshot):
                raise UnknownResource(f"There is no computing element {pin} in the information system.", value=pin,
                                      hint="job-list-match shows those that match.")
            size = len(snapshot.ces)
            return await chosen(self._kit, size, lambda: self._match(request, snapshot, now, question.explain))
        except WmsError as error:
            return MatchAnswer(question.query, (), "", error=error.record())

    def _match(self, request: Request, snapshot: Snapshot, now: float, explain: bool) -> MatchAnswer:
        matches = match(request, snapshot, now, self.site)
        checks = tuple((tally.check, tally.seen, tally.refused) for tally in matches.tallies)
        reason = "" if matches.ranked else why(matches)
        return MatchAnswer(request.id, matches.destinations, reason, checks,
                           clauses=clauses(matches) if explain else ())


def _told(request: Request, ces: Sequence[str], snapshot: Snapshot) -> list[tuple[ComputingElement, str]]:
    """Each CE with the .BrokerInfo for jobs that go there."""
    infos = {id: render(request, snapshot.ces[id], snapshot) for id in dict.fromkeys(ces)}
    return [(snapshot.ces[id], infos[id]) for id in ces]


async def chosen(kit: Kit, size: int, work: Callable[[], T]) -> T:
    """Small work is done at once, large work (looks at a CE) in a thread."""
    return work() if size <= INLINE else await kit.thread(work)
