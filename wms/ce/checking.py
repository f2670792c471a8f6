"""Runs the check of a computing element: two test jobs of its own through the `Backend` protocol, probe after probe.

Works with any backend; what is asked, and what the answers mean, is in `wms.ce.check`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from msgspec.structs import replace
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from wms.ce import Backend, CeJob, CeState, Later, Phase, Rejected, Submitted, check
from wms.ce.check import BOUNDS, FAILS, OK, UNKNOWN
from wms.errors import WmsError
from wms.operations.ces import Probe
from wms.service import within

T = TypeVar("T")
FIRST_LOOK_S, LAST_LOOK_S = 1.0, 10.0
LIVES_S = 3.0
"""So long a job runs before it is renewed or cancelled, and so long the silence of the dead is listened to."""
OVER = (Phase.ENDED, Phase.LOST)


@dataclass(frozen=True, slots=True)
class Plan:
    """`token` is the beginning of the tokens of the test jobs; credentials are bytes of files, `fresh` replaces
    `proxy`. `url` is an address of the Network Server that answers everybody, `ca` the PEM that its certificate needs.
    """

    token: str
    url: str
    ca: str
    queue: str = ""
    proxy: bytes = b""
    fresh: bytes = b""
    bearer: bytes = b""
    owner: str = ""
    vo: str = ""
    fqans: tuple[str, ...] = ()


class _Over(Exception):
    """What follows makes no sense."""


@dataclass(slots=True)
class _Watched:
    """A test job: when each phase was first seen, and its last state."""

    token: str
    submitted: float = 0.0
    seen: dict[str, float] = field(default_factory=dict)
    state: CeState | None = None

    @property
    def phase(self) -> str:
        return self.state.phase if self.state is not None else ""


class Check:
    """`run` once; `say` is called with all probes so far after each."""

    def __init__(self, backend: Backend, clock: IReactorTime, plan: Plan,
                 say: Callable[[tuple[Probe, ...]], Awaitable[object]]) -> None:
        self._ce = backend
        self._clock = clock
        self._plan = plan
        self._say = say
        self._probes: list[Probe] = []
        self._began = 0.0
        self._first, self._second = _Watched(plan.token + "-a"), _Watched(plan.token + "-b")
        self._unrenewed = ""
        self._live = 0
        self._untaken = False

    async def run(self) -> tuple[Probe, ...]:
        """The probes in their order; what could not be tried is not among them."""
        try:
            queue = await self._described()
            await self._submitted(queue)
            await self._watched()
            await self._outcome()
            await self._cancelled()
        except _Over:
            pass
        await self._cleaned()
        return tuple(self._probes)

    # -- the way of a probe ------------------------------------------------------------------------------

    async def _found(self, *probes: Probe) -> None:
        """These are known now; the time they took is told with the first."""
        took = round(self._clock.seconds() - self._began, 1)
        self._probes += [replace(probe, took_s=took if probe is probes[0] else 0.0) for probe in probes]
        self._began = self._clock.seconds()
        await self._say(tuple(self._probes))

    async def _try(self, name: str, work: Awaitable[T], *, fatal: bool = True) -> T | None:
        """What comes of it within the bound of the probe; a failure is its result, and ends the check if `fatal`."""
        try:
            return await within(self._clock, BOUNDS[name], work)
        except WmsError as error:
            await self._found(Probe(name, FAILS, error.message))
        except OSError as error:
            await self._found(Probe(name, FAILS, f"{type(error).__name__}: {error}."))
        if fatal:
            raise _Over
        return None

    async def _wait(self, seconds: float) -> None:
        await deferLater(self._clock, seconds, lambda: None)

    # -- the probes --------------------------------------------------------------------------------------

    async def _described(self) -> str:
        """The queue to use."""
        self._began = self._clock.seconds()
        records = await self._try("answers", self._ce.describe()) or []
        names = [str(record.get("GlueCEName", "")) for record in records]
        await self._found(Probe("answers", OK if records else FAILS, f"Its queues: {', '.join(names[:10]) or 'none'}."))
        wanted = self._plan.queue or next(iter(names), "")
        state = next((record.get("GlueCEStateStatus") for record, name in zip(records, names, strict=True)
                      if name == wanted), None)
        if state is None:
            await self._found(Probe("queue", FAILS, f"There is no queue {wanted}." if wanted else "There is no queue."))
            raise _Over
        good = str(state) in ("Production", "Queueing")
        await self._found(Probe("queue", OK if good else FAILS, f"{wanted} is in state {state}."))
        return wanted

    def _job(self, token: str, script: str, queue: str) -> CeJob:
        plan = self._plan
        return CeJob(token, f"https://check.invalid:9000/{token}", script, queue, plan.proxy, 1800, bearer=plan.bearer,
                     owner=plan.owner, vo=plan.vo, fqans=plan.fqans)

    async def _submitted(self, queue: str) -> None:
        jobs = [self._job(self._first.token, check.test_job(self._plan.url, self._plan.ca), queue),
                self._job(self._second.token, check.long_job(), queue)]
        await self._ce_forgets()
        first = await self._try("submission", self._taken(jobs[0]))
        if isinstance(first, Rejected):
            await self._found(Probe("submission", FAILS, f"The CE refuses the job: {first.reason}."))
            raise _Over
        handle = first.handle if isinstance(first, Submitted) else ""
        await self._found(Probe("submission", OK, f"The CE calls it {handle or 'nothing'}."))
        await self._again(jobs[0], handle)
        self._first.submitted = self._began
        self._second.submitted = self._clock.seconds()
        second = await self._try("cancel", self._taken(jobs[1]), fatal=False)
        self._untaken = not isinstance(second, Submitted)
        if isinstance(second, Rejected):
            await self._found(Probe("cancel", FAILS, f"The CE refuses a second job: {second.reason}."))

    async def _taken(self, job: CeJob) -> Submitted | Rejected:
        """Through the rate of submissions, if there is one."""
        while True:
            self._began = self._clock.seconds()
            (verdict,) = await self._ce.submit([job])
            if not isinstance(verdict, Later):
                return verdict
            await self._wait(max(1.0, verdict.wait_s))

    async def _again(self, job: CeJob, handle: str) -> None:
        submitted = self._began
        verdict = await self._try("once", self._taken(job), fatal=False)
        held = await self._try("once", self._ce.known(), fatal=False) if verdict is not None else None
        self._began = submitted
        if verdict is None or held is None:
            return
        same = isinstance(verdict, Submitted) and verdict.handle == handle and held.count(job.token) == 1
        await self._found(Probe("once", OK, "It is the same job.") if same else
                          Probe("once", FAILS, "The CE took it for another job: jobs may run twice."))
        self._began = submitted

    async def _watched(self) -> None:
        """Until the first job ends; meanwhile it gets its fresh credential, and the second is cancelled."""
        began, pause, cancelled = self._clock.seconds(), FIRST_LOOK_S, False
        while self._first.phase not in OVER or not self._first.seen.keys() & {"ENDED"}:
            if self._clock.seconds() - began > BOUNDS["states"]:
                break
            await self._look()
            if not self._unrenewed and self._lives(self._first):
                await self._renewed()
            if not cancelled and self._lives(self._second):
                cancelled = True
                await self._cancel()
            await self._wait(pause)
            pause = min(LAST_LOOK_S, pause * 1.2)
        first = self._first
        reason = f"After {BOUNDS['states']:.0f} s it is {first.phase or 'unknown to the CE'}"
        why = f"{reason}: {first.state.reason}" if first.state is not None and first.state.reason else reason
        self._began = first.submitted
        await self._found(check.states(first.seen, why))
        if "ENDED" not in first.seen:
            raise _Over

    async def _look(self) -> None:
        """A CE that is silent for a moment is asked again."""
        try:
            found = await within(self._clock, BOUNDS["once"], self._ce.status([self._first.token, self._second.token]))
        except WmsError:
            return
        now = self._clock.seconds()
        for one in (self._first, self._second):
            one.state = found.get(one.token, one.state)
            if one.state is not None and one.phase != Phase.LOST:
                one.seen.setdefault(one.phase, now - one.submitted)

    def _lives(self, one: _Watched) -> bool:
        """It runs, and has for a while."""
        at = one.seen.get(Phase.RUNNING)
        return (one.phase == Phase.RUNNING and at is not None
                and self._clock.seconds() - one.submitted - at >= LIVES_S)

    async def _renewed(self) -> None:
        self._unrenewed = "sent"
        try:
            await within(self._clock, BOUNDS["renewal"],
                         self._ce.renew([self._first.token], self._plan.fresh, self._plan.bearer))
        except WmsError as error:
            self._unrenewed = f"The CE does not take a fresh credential: {error.message}"

    async def _cancel(self) -> None:
        try:
            self._live = check.ticks(await within(self._clock, BOUNDS["output"], self._ce.output(self._second.token)))
            await within(self._clock, BOUNDS["output"], self._ce.cancel([self._second.token]))
        except WmsError:
            return

    async def _outcome(self) -> None:
        first, state = self._first, self._first.state
        output = await self._try("output", self._ce.output(first.token), fatal=False)
        said = check.printed(output or "")
        if output is not None:
            good = "end" in said
            await self._found(Probe("output", OK if good else FAILS, f"{len(output)} bytes came back."
                                    if good else "What the job printed did not come back whole."))
        usage = state.usage if state is not None else None
        await self._found(check.exit_status(state.exit_status if state else None, state.reason if state else ""))
        told = f"{usage.wall_s:.1f} s wall, {usage.cpu_s:.1f} s CPU, {usage.max_rss_kb} kB" if usage else ""
        await self._found(Probe("accounting", OK, f"{told}.") if usage else
                          Probe("accounting", UNKNOWN, "The CE keeps no accounts of it."))
        failure = self._unrenewed if self._unrenewed != "sent" else ""
        running = first.submitted + first.seen.get(Phase.RUNNING, first.seen["ENDED"])
        begin = next(iter(said.get("begin", ())), "")
        await self._found(*check.on_the_node(said, bool(self._plan.bearer), failure),
                          check.clock(begin, first.submitted, running))

    async def _cancelled(self) -> None:
        """The second job, by now at its end or about to be."""
        if self._untaken:
            return
        began = self._clock.seconds()
        while self._second.phase not in OVER:
            if self._clock.seconds() - began > BOUNDS["cancel"]:
                await self._found(Probe("cancel", FAILS, f"{BOUNDS['cancel']:.0f} s later it is {self._second.phase}."))
                return
            if self._second.phase != Phase.RUNNING or self._lives(self._second):
                await self._cancel()
            await self._wait(LIVES_S)
            await self._look()
        outputs = []
        for _ in range(2):
            outputs.append(await self._try("cancel", self._ce.output(self._second.token), fatal=False))
            await self._wait(LIVES_S)
        if None not in outputs:
            before, after = (check.ticks(text or "") for text in outputs)
            await self._found(check.cancelled(self._live, before, after))

    # -- leaving nothing ---------------------------------------------------------------------------------

    async def _ce_forgets(self) -> None:
        """What an earlier try may have left is gone."""
        tokens = [self._first.token, self._second.token]
        try:
            if set(tokens) & set(await within(self._clock, BOUNDS["clean"], self._ce.known())):
                await within(self._clock, BOUNDS["clean"], self._ce.clean(tokens))
        except WmsError:
            return

    async def _cleaned(self) -> None:
        tokens = [self._first.token, self._second.token]
        if not self._first.submitted:
            await self._ce_forgets()
            return
        self._began = self._clock.seconds()
        done = await self._try("clean", self._cleaning(tokens), fatal=False)
        if done is not None:
            await self._found(Probe("clean", FAILS, f"It still knows {', '.join(done)}.") if done else
                              Probe("clean", OK, "Nothing stays."))

    async def _cleaning(self, tokens: list[str]) -> list[str]:
        await self._ce.cancel(tokens)
        await self._ce.clean(tokens)
        return sorted(set(tokens) & set(await self._ce.known()))
