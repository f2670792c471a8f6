"""The local CE: this machine as a batch system of `slots` at a time, first come first served.

Payloads outlive every daemon; all that is known of them is in the spool, which several backends may share.
Not here: files of the spool (spool), processes (processes), published facts (facts).
"""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet import inotify
from twisted.internet.task import deferLater

from wms.ce import CeJob, CeState, Phase, Rejected, Submitted
from wms.ce.local import courier
from wms.ce.local.facts import Load, glue, machine
from wms.ce.local.processes import alive, family, kill, reap, send, spawn
from wms.ce.local.settings import LocalSettings
from wms.ce.local.spool import Claim, Limits, Spool
from wms.ce.watching import Watching
from wms.errors import ConfigError, Unavailable

__all__ = ["Local", "LocalSettings", "make"]

_CLAIM_S = 60.0
"""A runner that has not finished writing its claim by then never will."""

_BATCH = 50
"""Submissions under one lock: some ten milliseconds."""

_NOTHING = Limits("", "", 0, 0, 0)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")


def make(settings: Mapping[str, Any], reactor: Any) -> Local:
    """The factory of the registry; raises `ConfigError`."""
    try:
        return Local(msgspec.convert(dict(settings), LocalSettings), reactor)
    except msgspec.ValidationError as error:
        raise ConfigError(f"local CE: {error}") from None


class Local:
    """A `Backend`. All methods work at once in the reactor's thread: a fraction of a millisecond a job."""

    def __init__(self, settings: LocalSettings, reactor: Any) -> None:
        self._settings = settings
        self._reactor = reactor
        self._spool = Spool(settings.spool)
        self._host = settings.host or socket.gethostname()
        self._facts: dict[str, Any] = {}
        self._ended: dict[str, CeState] = {}
        self._limits: dict[str, Limits] = {}
        self._backlog: deque[tuple[str, str]] = deque()
        self._wakers: list[Callable[[], None]] = []
        self._watching = Watching(reactor, inotify.IN_CLOSE_WRITE | inotify.IN_MOVED_TO, self._changed)
        self._tick: Any = None
        self._look: Any = None
        self._courier: subprocess.Popen[bytes] | None = None

    # -- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what is in the spool, then watch it."""
        self._spool.prepare()
        if self._settings.courier:
            self._spool.offer_courier()
        self._watching.start([str(self._spool.ended), str(self._spool.running)])
        self._sweep()

    async def stop(self) -> None:
        for call in (self._tick, self._look):
            if call is not None and call.active():
                call.cancel()
        self._tick = self._look = None
        self._watching.stop()
        self._dismiss_courier()
        reap()

    def _keep_courier(self) -> None:
        """One process of all that share the spool has a courier; it ends with its standard input."""
        if self._courier is not None and self._courier.poll() is not None:
            self._dismiss_courier()
        if self._settings.courier and self._courier is None and courier.free(self._spool.root):
            with open(f"{self._spool.root}/courier.log", "wb") as log:
                self._courier = subprocess.Popen([sys.executable, "-m", "wms.ce.local.courier", self._spool.root],
                                                 stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)

    def _dismiss_courier(self) -> None:
        if self._courier is not None and self._courier.stdin is not None:
            self._courier.stdin.close()
            self._courier.kill()
            self._courier.wait()
        self._courier = None

    def watch(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    # -- the protocol ------------------------------------------------------------------------------------

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected]:
        micros = int(self._reactor.seconds() * 1e6)
        orders = [f"{micros:020d}-{n:06d}" for n in range(len(jobs))]
        verdicts: list[Submitted | Rejected] = []
        for first in range(0, len(jobs), _BATCH):
            with self._spool.locked():
                verdicts += map(self._take, jobs[first : first + _BATCH], orders[first : first + _BATCH])
                self._fill()
            await deferLater(self._reactor, 0, lambda: None)  # others want the lock and the thread
        return verdicts

    def _take(self, job: CeJob, order: str) -> Submitted | Rejected:
        if not _TOKEN.fullmatch(job.token):
            return Rejected(job.token, "the token is not made of letters, digits, '_' and '-'", True)
        policy = self._settings.queues.get(job.queue)
        if policy is None:
            return Rejected(job.token, f"there is no queue {job.queue!r}", True)
        cpus = self._settings.slots if job.whole_nodes else job.cpus
        if max(cpus, job.smp, job.cpus) > self._settings.slots or job.hosts > 1:
            return Rejected(job.token, f"this CE is one host of {self._settings.slots} slots", True)
        wall_s, cpu_s = _least(job.wall_s, policy.max_wall_s), _least(job.cpu_s, policy.max_cpu_s)
        try:
            self._spool.add(msgspec.structs.replace(job, wall_s=wall_s, cpu_s=cpu_s, cpus=cpus), order)
        except OSError as error:
            raise Unavailable(f"the spool cannot be written: {error.strerror}") from None
        return Submitted(job.token, _handle(job.token))

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        # In the order of a job's way: one that moves meanwhile is seen at least once.
        waiting, placed, finished = self._spool.waiting(), self._spool.placed(), self._spool.finished()
        return {token: self._state(token, waiting, placed, finished) for token in tokens}

    def _state(
        self, token: str, waiting: Collection[str], placed: Collection[str], finished: Collection[str]
    ) -> CeState:
        if token in finished:
            return self._end(token)
        if token in placed:
            return self._running(token)
        if token in waiting:
            return CeState(token, Phase.QUEUED, _handle(token))
        return CeState(token, Phase.LOST, reason="this CE does not know it")

    def _running(self, token: str) -> CeState:
        claim = self._spool.claim(token)
        if claim is not None and not alive(claim):
            return self._vanished(token, claim)
        return CeState(token, Phase.RUNNING, _handle(token), node=self._host)

    def _vanished(self, token: str, claim: Claim | None) -> CeState:
        """Its runner is gone: it has ended, or nobody will ever know how."""
        if self._spool.outcome(token) is None:
            kill(self._spool.root, {token: claim})
            self._spool.end(token, self._spool.doom(token) or "vanished")
        return self._end(token)

    def _end(self, token: str) -> CeState:
        if token not in self._ended:
            outcome = self._spool.outcome(token)
            if outcome is None:  # just being written
                return CeState(token, Phase.RUNNING, _handle(token), node=self._host)
            self._ended[token] = CeState(token, Phase.ENDED, _handle(token), outcome.status, self._host,
                                         outcome.reason)
        return self._ended[token]

    async def cancel(self, tokens: Collection[str]) -> None:
        with self._spool.locked():
            self._terminate(tokens, "cancelled")
            self._fill()

    async def clean(self, tokens: Collection[str]) -> None:
        with self._spool.locked():
            self._wipe_out(self._spool.live().intersection(tokens))
            waiting = self._spool.waiting()
            for token in tokens:
                self._spool.forget(token, waiting.get(token))
                self._ended.pop(token, None)
            self._fill()

    def _wipe_out(self, live: Collection[str]) -> None:
        """End payloads together with the runners that would record it."""
        if live:
            claims = self._claims(live)
            pids = family(self._spool.root, claims)
            send([claim.pid for claim in claims.values() if claim and alive(claim)], signal.SIGKILL)
            send(pids, signal.SIGKILL)

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        for token in set(tokens) - self._spool.finished():
            self._spool.set_credentials(token, proxy, bearer)

    async def output(self, token: str) -> str:
        return self._spool.output(token).decode("utf-8", "replace")

    async def known(self) -> list[str]:
        return sorted(self._spool.tokens())

    async def describe(self) -> list[dict[str, Any]]:
        waiting = self._spool.waiting()
        running = self._spool.placed() - self._spool.finished()
        self._limits = {token: self._limits_of(token) for token in (*waiting, *running)}
        where = {token: limits.queue for token, limits in self._limits.items()}
        return [self._describe(queue, where, waiting, running) for queue in self._settings.queues]

    def _limits_of(self, token: str) -> Limits:
        """Read once from the spool; of a token that is gone, nothing."""
        found = self._limits.get(token) or self._spool.limits(token)
        if found is None:
            return _NOTHING
        self._limits[token] = found
        return found

    def _describe(
        self, queue: str, where: Mapping[str, str], waiting: Collection[str], running: Collection[str]
    ) -> dict[str, Any]:
        settings = self._settings
        load = Load(settings.slots, self._slots(running), sum(where.get(t) == queue for t in running),
                    sum(where.get(t) == queue for t in waiting), len(waiting))
        policy = msgspec.structs.asdict(settings.queues[queue])
        self._facts = self._facts or machine()
        return glue(self._host, queue, policy, load, settings.tags, settings.access_rules, self._facts)

    # -- slots -------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Give free slots to the first of the queue. Only under the lock of the spool."""
        free = self._settings.slots - self._slots(self._spool.live()) if self._spool.anyone_waits() else 0
        while free > 0 and (first := self._first()) is not None:
            token, marker = first
            if (needed := self._slots([token])) > free:
                self._backlog.appendleft(first)
                return
            if self._spool.place(token, marker):
                self._spawn(token)
                free -= needed

    def _slots(self, tokens: Collection[str]) -> int:
        """How many slots these take; what was found is kept for those that are asked about again."""
        return sum(self._limits_of(token).cpus for token in tokens)

    def _first(self) -> tuple[str, str] | None:
        """Who waits longest. The queue is read once and used up: who comes later stands behind."""
        if not self._backlog:
            self._backlog = deque(self._spool.waiting().items())
        return self._backlog.popleft() if self._backlog else None

    def _spawn(self, token: str) -> None:
        limits = self._spool.limits(token)
        if limits is not None:
            spawn(self._spool.root, token, limits, self._settings.environment)

    # -- ends --------------------------------------------------------------------------------------------

    def _changed(self) -> None:
        """Something moved in the spool: look once, however much it was."""
        if self._look is None:
            self._look = self._reactor.callLater(0, self._looked)

    def _looked(self) -> None:
        self._look = None
        if self._spool.anyone_waits():
            with self._spool.locked():
                self._fill()
        reap()
        for wake in self._wakers:
            wake()

    def _terminate(self, tokens: Iterable[str], reason: str) -> None:
        """Ask payloads to end; those without a runner end here. Only under the lock of the spool."""
        waiting, placed, finished = self._spool.waiting(), self._spool.placed(), self._spool.finished()
        live = []
        for token in tokens:
            if token in finished or not (token in waiting or token in placed):
                continue
            if self._spool.take_claim(token):
                self._spool.end(token, reason)
            else:
                self._spool.condemn(token, reason)
                live.append(token)
        if live:
            send(family(self._spool.root, self._claims(live)), signal.SIGTERM)
            self._sweep_within(self._settings.grace_s)

    def _claims(self, tokens: Iterable[str]) -> dict[str, Claim | None]:
        return {token: self._spool.claim(token) for token in tokens}

    def _sweep_within(self, delay_s: float) -> None:
        if self._tick is not None and self._tick.active():
            self._tick.reset(min(delay_s, self._tick.getTime() - self._reactor.seconds()))

    def _finish_doomed(self, live: Collection[str]) -> None:
        """KILL what was asked to end and had its grace."""
        now, grace = self._reactor.seconds(), self._settings.grace_s
        late = [token for token in live if (age := self._spool.age_of_doom(token, now)) is not None
                and age >= grace]
        if late:
            kill(self._spool.root, self._claims(late))

    def _sweep(self) -> None:
        """What no event tells: lost runners, limits, spawns that a crash prevented, talkative wrappers."""
        self._tick = self._reactor.callLater(self._settings.poll_s, self._sweep)
        self._keep_courier()
        with self._spool.locked():
            self._spool.prune()
            live = self._spool.live()
            for token in live:
                self._attend(token)
            self._finish_doomed(live)
            self._fill()
        reap()

    def _attend(self, token: str) -> None:
        if not self._spool.claimed(token):
            self._spawn(token)
            return
        age = self._spool.age_of_claim(token, self._reactor.seconds()) or 0.0
        if self._spool.claim(token) is None and age > _CLAIM_S:
            self._vanished(token, None)
        if self._running(token).phase is Phase.ENDED:
            return
        self._spool.shorten(token)
        limits = self._spool.limits(token)
        if limits is not None and 0 < limits.wall_s <= age:
            self._terminate([token], f"wall time limit of {limits.wall_s} s exceeded")


def _least(asked: int, most: int) -> int:
    """The smaller of two limits, where 0 is none."""
    return min(asked, most) if asked and most else asked or most


def _handle(token: str) -> str:
    return f"local/{token}"
