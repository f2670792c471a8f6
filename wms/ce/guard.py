"""What stands between the daemons and every CE: its budget of requests, its rate of submissions, its circuit breaker.

A CE that does not answer is asked less and less, and never more often than its site allows. The rules are pure:
`wms.ce.limits`. Not here: what a daemon does with a job whose CE does not answer.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from twisted.internet.defer import CancelledError, DeferredLock

from wms.ce import Backend, CeJob, CeState, Later, Rejected, Submitted
from wms.ce.limits import Breaker, Common, Condition, Health, Window
from wms.errors import ConfigError, Overloaded, Unavailable
from wms.service import within

__all__ = ["Guarded", "common", "guarded"]

T = TypeVar("T")
URGENT, PATIENT = True, False
"""What changes something goes before what only looks."""
LEAST_WAIT_S = 1.0
SPENT = "the CE is given no more jobs this minute"
NAMES = frozenset(field.name for field in msgspec.structs.fields(Common))


def common(given: Mapping[str, Any]) -> tuple[Common, dict[str, Any]]:
    """The settings that every CE has, and the rest, which its backend reads. Raises ConfigError."""
    try:
        settings = msgspec.convert({name: value for name, value in given.items() if name in NAMES}, Common)
    except msgspec.ValidationError as error:
        raise ConfigError(str(error)) from None
    return settings, {name: value for name, value in given.items() if name not in NAMES}


def guarded(backend: Backend, settings: Common, reactor: Any) -> Guarded:
    """The backend as daemons get it."""
    return Guarded(backend, settings, reactor, random.random)


class Guarded:
    """A `Backend` around any other.

    `Unavailable` comes at once, with `retry_s` in its details, while the breaker is open; `Overloaded` (one of them)
    when the budget of the minute is spent. Jobs beyond the rate of submissions are answered with `Later`.
    """

    def __init__(self, backend: Backend, settings: Common, reactor: Any, chance: Callable[[], float]) -> None:
        self.settings = settings
        self._backend = backend
        self._clock = reactor
        self._chance = chance
        self._breaker = Breaker(settings.breaker_failures, settings.breaker_s)
        self._requests = Window(settings.requests_per_minute, settings.requests_per_minute // 4)
        self._submissions = Window(settings.submissions_per_minute)
        self._one_at_a_time = DeferredLock()
        self._described: list[dict[str, Any]] | None = None

    def health(self) -> Health:
        """How the CE answers, for whoever looks."""
        breaker, now = self._breaker, self._clock.seconds()
        until = breaker.until if breaker.condition is Condition.SILENT else 0.0
        return Health(breaker.condition, breaker.since, breaker.failures, breaker.error, self._requests.count(now),
                      self.settings.requests_per_minute, until)

    def silence(self, now: float) -> Unavailable | None:
        """What any call would raise at `now` (epoch s), because the CE is left alone."""
        wait_s, breaker = self._breaker.wait_s(now), self._breaker
        return Unavailable(f"the CE does not answer: {breaker.error}", retry_s=wait_s) if wait_s else None

    # -- the gate ----------------------------------------------------------------------------------------

    def _check(self) -> None:
        if (away := self.silence(self._clock.seconds())) is not None:
            raise away

    async def _call(self, urgent: bool, call: Callable[[], Awaitable[T]], number: int = 1) -> T:
        """One call that counts as `number` requests; its outcome is the breaker's news."""
        self._check()
        if wait_s := self._requests.wait_s(urgent, self._clock.seconds()):
            raise Overloaded(f"{self.settings.requests_per_minute} requests were made in the last minute",
                             retry_s=wait_s)
        self._requests.take(urgent, self._clock.seconds(), number)
        self._breaker = self._breaker.called()
        try:
            answer = await within(self._clock, self.settings.answer_s, call())
        except (Unavailable, CancelledError) as error:
            said = error.message if isinstance(error, Unavailable) else "a call was given up"
            self._breaker = self._breaker.failed(self._clock.seconds(), said, self._chance())
            raise
        except Exception:  # a fault, but not that of a CE which is away
            self._breaker = self._breaker.answered()
            raise
        self._breaker = self._breaker.answered()
        return answer

    # -- Backend -----------------------------------------------------------------------------------------

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected | Later]:
        """As many as may be now; a CE that did not answer is tried with one."""
        self._check()
        now, verdicts = self._clock.seconds(), list[Submitted | Rejected | Later]()
        most = 1 if self._breaker.opens else len(jobs)
        room = min(most, self._requests.room(URGENT, now), self._submissions.room(URGENT, now))
        if room:
            self._submissions.take(URGENT, now, room)
            verdicts += await self._call(URGENT, lambda: self._backend.submit(jobs[:room]), room)
        now = self._clock.seconds()
        wait_s = max(self._requests.wait_s(URGENT, now), self._submissions.wait_s(URGENT, now), LEAST_WAIT_S)
        return verdicts + [Later(job.token, SPENT, wait_s) for job in jobs[room:]]

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        """Never two at a time."""
        await self._one_at_a_time.acquire()
        try:
            return await self._call(PATIENT, lambda: self._backend.status(tokens))
        finally:
            self._one_at_a_time.release()

    async def cancel(self, tokens: Collection[str]) -> None:
        await self._call(URGENT, lambda: self._backend.cancel(tokens))

    async def clean(self, tokens: Collection[str]) -> None:
        await self._call(URGENT, lambda: self._backend.clean(tokens))

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        await self._call(URGENT, lambda: self._backend.renew(tokens, proxy, bearer))

    async def output(self, token: str) -> str:
        return await self._call(PATIENT, lambda: self._backend.output(token))

    async def known(self) -> list[str]:
        return await self._call(PATIENT, self._backend.known)

    async def describe(self) -> list[dict[str, Any]]:
        """When the budget is spent, what it said last."""
        try:
            self._described = await self._call(PATIENT, self._backend.describe)
        except Overloaded:
            if self._described is None:
                raise
        return self._described

    def watch(self, wake: Callable[[], None]) -> None:
        self._backend.watch(wake)

    async def start(self) -> None:
        await self._backend.start()

    async def stop(self) -> None:
        await self._backend.stop()
