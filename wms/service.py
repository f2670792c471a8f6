"""What a daemon is made of: `Daemon`, `Ticker`, `Suite`, and the `Kit` that a daemon may touch.

`make(kit) -> Daemon` is all a daemon package offers. The Suite starts daemons one after the other, each awaited,
and stops them in reverse; a stock MultiService does neither.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms.authz.gate import Gate
from wms.credentials import Credentials
from wms.errors import TimedOut
from wms.vault import UNSEALED, Vault

if TYPE_CHECKING:
    from wms.ce import Backend
    from wms.config import Settings
    from wms.database import Database
    from wms.httpd import Handler

P = ParamSpec("P")
T = TypeVar("T")


class Part(Protocol):
    """Something with a beginning and an end."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Kit:
    """Everything a daemon may touch: a plain record, handed to `make`.

    `secret` signs capability tokens, `vault` seals credentials at rest, `gate` says who may do what; `instance`
    names this process to the queue, the same after a restart.
    A loop that is woken again within `linger_s` of its last round waits that long, so that work gathers to batches.
    """

    settings: Settings
    database: Database
    clock: IReactorTime
    rng: random.Random
    backends: Mapping[str, Backend]
    log: Logger
    host: str
    lb_address: tuple[str, int]
    secret: bytes = field(repr=False)
    instance: str = ""
    poll_s: float = 5.0
    linger_s: float = 0.0
    vault: Vault = UNSEALED
    gate: Gate = field(default_factory=Gate)

    def now(self) -> float:
        """Epoch seconds."""
        return self.clock.seconds()

    @property
    def credentials(self) -> Credentials:
        """The credentials that users delegated; NS writes them, Proxy Renewal replaces them."""
        return Credentials(Path(self.settings.state_dir) / "credentials", self.vault)

    def later(self, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have `call` run on the reactor soon, from any thread (at once, with a hand-moved clock)."""
        if hasattr(self.clock, "callFromThread"):
            self.clock.callFromThread(call, *args, **kwargs)
        else:
            call(*args, **kwargs)

    def thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Run blocking work beside the reactor (at once, with a hand-moved clock)."""
        if not hasattr(self.clock, "getThreadPool"):
            return maybeDeferred(work, *args, **kwargs)
        threads: Any = self.clock
        return deferToThreadPool(threads, threads.getThreadPool(), work, *args, **kwargs)


@dataclass(slots=True)
class Daemon:
    """One daemon: its parts in starting order and the handlers of its remote operations."""

    name: str
    parts: Sequence[Part] = ()
    operations: Mapping[str, Handler] = field(default_factory=dict)

    async def start(self) -> None:
        started: list[Part] = []
        try:
            for part in self.parts:
                await part.start()
                started.append(part)
        except BaseException:
            await _stop_all(started)
            raise

    async def stop(self) -> None:
        await _stop_all(self.parts)

    def progress(self) -> dict[str, Any]:
        """What the parts have done so far, for heartbeat and `wms ps`."""
        return {type(part).__name__ + ":" + part.name: part.progress()
                for part in self.parts if isinstance(part, Progressing)}


class Progressing:
    """A part that counts its units of work: the heartbeat is the work itself, not a timer beside it."""

    name: str = ""

    def __init__(self) -> None:
        self.done = 0
        self.failed = 0
        self.last = 0.0

    def progress(self) -> dict[str, Any]:
        return {"done": self.done, "failed": self.failed, "last": self.last}


async def _stop_all(parts: Sequence[Part]) -> None:
    """In reverse; one that fails to stop keeps no other from it, and is raised in the end."""
    problems: list[BaseException] = []
    for part in reversed(parts):
        try:
            await part.stop()
        except Exception as error:  # noqa: BLE001 - raised below
            problems.append(error)
    if problems:
        raise problems[0]


class Suite:
    """Daemons in order. `stop` gives each `patience_s`, then goes on without it and says so."""

    def __init__(self, daemons: Sequence[Daemon], clock: IReactorTime, log: Logger,
                 patience_s: float = 20.0) -> None:
        self.daemons = list(daemons)
        self._clock = clock
        self._log = log
        self._patience_s = patience_s
        self._running: list[Daemon] = []

    async def start(self) -> None:
        for daemon in self.daemons:
            try:
                await daemon.start()
            except BaseException:
                await self.stop()
                raise
            self._running.append(daemon)
            self._log.info("{daemon} is ready", daemon=daemon.name)

    async def stop(self) -> None:
        while self._running:
            daemon = self._running.pop()
            try:
                await within(self._clock, self._patience_s, daemon.stop())
                self._log.info("{daemon} has stopped", daemon=daemon.name)
            except TimedOut:
                self._log.error("{daemon} did not stop within {patience} s", daemon=daemon.name,
                                patience=self._patience_s)
            except Exception:  # noqa: BLE001 - the others must be stopped whatever this one does
                self._log.failure("{daemon} failed to stop", daemon=daemon.name)


class Loop(Progressing):
    """A part that goes round and round between its start and its stop; the nap between rounds can be woken."""

    def __init__(self, kit: Kit, name: str) -> None:
        super().__init__()
        self.name = name
        self._kit = kit
        self._nap = Nap(kit.clock)
        self._loop: Deferred[None] | None = None

    async def start(self) -> None:
        self._loop = background(self._run(), self._kit.log)

    async def stop(self) -> None:
        self._nap.end()
        if self._loop is not None:
            await self._loop

    async def _run(self) -> None:
        """Until the nap has ended."""
        raise AssertionError("a loop is one of its subclasses")


class Ticker(Loop):
    """Calls `work` every `period_s` (first at once), never twice at a time; a failure is logged and counted."""

    def __init__(self, kit: Kit, name: str, period_s: float, work: Callable[[], Awaitable[object]]) -> None:
        super().__init__(kit, name)
        self._period_s = period_s
        self._work = work

    def poke(self) -> None:
        """Do not wait for the period."""
        self._nap.wake()

    async def _run(self) -> None:
        while not self._nap.ended:
            try:
                await self._work()
                self.done += 1
                self.last = self._kit.now()
            except Exception:  # noqa: BLE001 - the loop outlives any failure of its work; it is logged
                self.failed += 1
                self._kit.log.failure("{ticker} failed", ticker=self.name)
            await self._nap.sleep(self._period_s)
            await linger(self._kit, self.last, self._nap)


async def linger(kit: Kit, last: float, nap: Nap) -> None:
    """Under load rounds follow each other closely: let work gather since the round at `last`. Idle costs nothing."""
    if 0.0 <= kit.now() - last < kit.linger_s and not nap.ended:
        await deferLater(kit.clock, kit.linger_s)


class Nap:
    """A sleep that can be woken; a wake during work is kept for the next sleep."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._waiting: Deferred[None] | None = None
        self._woken = False
        self.ended = False

    async def sleep(self, seconds: float) -> None:
        if self.ended or self._woken:
            self._woken = False
            return
        self._waiting = Deferred()
        timer = self._clock.callLater(max(0.0, seconds), self.wake)
        try:
            await self._waiting
        finally:
            self._waiting = None
            self._woken = False
            if timer.active():
                timer.cancel()

    def wake(self) -> None:
        if self._waiting is not None and not self._waiting.called:
            self._waiting.callback(None)
        else:
            self._woken = True

    def end(self) -> None:
        """No sleep lasts from now on."""
        self.ended = True
        self.wake()


def background(work: Coroutine[Deferred[Any], Any, T], log: Logger) -> Deferred[T | None]:
    """Run a coroutine nobody awaits at once; a failure of it is logged, never lost."""
    def failed(failure: Failure) -> None:
        log.failure("background work failed", failure=failure)

    return Deferred.fromCoroutine(work).addErrback(failed)


async def within(clock: IReactorTime, seconds: float, work: Awaitable[T]) -> T:
    """Await `work` for at most `seconds`, then cancel it and raise TimedOut, whether it heeds that or not."""
    async def run() -> T:
        return await work

    expired = False

    def settle(result: Any) -> None:
        if not outcome.called:
            late = expired and isinstance(result, Failure)
            outcome.callback(Failure(TimedOut(f"No answer within {seconds:g} s.")) if late else result)

    def expire() -> None:
        nonlocal expired
        expired = True
        job.cancel()
        settle(Failure(CancelledError()))

    outcome: Deferred[T] = Deferred(lambda _: job.cancel())
    job = Deferred.fromCoroutine(run())
    timer = clock.callLater(seconds, expire)
    _ = job.addBoth(settle)
    try:
        return await outcome
    finally:
        if timer.active():
            timer.cancel()
