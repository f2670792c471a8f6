"""Ships what is in the spool: finds the files, sends their events in batches, and settles what the servers answer.

The files are the truth; here is only which of them are worth a look. How a batch travels is `interlogger.post`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall

from interlogger import files
from interlogger.answers import Settled, settled, shared
from interlogger.files import Stretch
from interlogger.lane import Lane
from wms.errors import BadEvent, SandboxTooLarge, WmsError
from wms.operations.logging import Logged, RefusedLine
from wms.service import Kit, Progressing, background
from wms.ulm import from_ulm

Send = Callable[[str, bytes], Awaitable[Logged]]
"""(host:port, lines of ULM) -> the answer; raises WmsError when there is none."""
MAX_BYTES = 1_000_000
STUCK_S = 5.0
LOCK_S = 2.0


class Shipper(Progressing):
    """`done` counts events that servers took, `failed` requests without an answer."""

    name = "shipper"

    def __init__(self, kit: Kit, directory: str, send: Send) -> None:
        super().__init__()
        self._kit = kit
        self._settings = kit.settings.interlogger
        self._directory = directory
        self._send = send
        self._lanes: dict[str, Lane] = {}
        self._unsorted: dict[str, None] = {}
        self._sorting = False
        self._lock: int | None = None
        self._work: set[Deferred[Any]] = set()
        self._timers: dict[str, IDelayedCall] = {}
        self._ended = False
        self.aside = 0

    def progress(self) -> dict[str, Any]:
        return {**super().progress(), "waiting": sum(lane.waiting for lane in self._lanes.values()),
                "aside": self.aside,
                "unreachable": [lane.server for lane in self._lanes.values() if lane.failures]}

    async def start(self) -> None:
        await self._kit.thread(files.prepare, self._directory)

    async def stop(self) -> None:
        """What is on its way is broken off: it is still in the files."""
        self._ended = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for work in list(self._work):
            work.cancel()
        for work in list(self._work):
            await work
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    # -- finding -----------------------------------------------------------------------------------------

    async def scan(self) -> None:
        """Look at the whole spool. Only one process ships a spool: until it is ours, nothing happens."""
        if self._lock is None:
            self._lock = await self._kit.thread(files.take_lock, self._directory)
        if self._lock is None:
            self._kit.log.warn("another process ships {directory}", directory=self._directory)
            self._later("lock", LOCK_S, lambda: self._begin(self.scan()))
            return
        for name in await self._kit.thread(files.damaged, self._directory):
            await self._move_aside(name, "the beginning of the file is damaged")
        self.look_at(await self._kit.thread(files.listing, self._directory))

    def look_at(self, names: Iterable[str]) -> None:
        """There may be something new in these files."""
        self._unsorted.update(dict.fromkeys(names))
        if self._unsorted and self._lock is not None and not self._sorting and not self._ended:
            self._begin(self._sort())

    async def _sort(self) -> None:
        """To the lane of the server that the head of each file names."""
        self._sorting = True
        try:
            while self._unsorted:
                names, self._unsorted = list(self._unsorted), {}
                found = await self._kit.thread(files.places, self._directory, names)
                for name, server in found.items():
                    self._lane(server).add(name)
                for server in set(found.values()):
                    self._pump(self._lane(server))
        finally:
            self._sorting = False

    def _lane(self, server: str) -> Lane:
        most = max(1, self._settings.batch)
        return self._lanes.setdefault(server, Lane(server, max(1, self._settings.parallel), most, size=most))

    # -- sending -----------------------------------------------------------------------------------------

    def _begin(self, work: Any) -> None:
        task = background(work, self._kit.log)
        if not task.called:
            self._work.add(task)
            _ = task.addBoth(lambda _: self._work.discard(task))

    def _pump(self, lane: Lane) -> None:
        while not self._ended and (names := lane.take(self._kit.now())):
            self._begin(self._ship(lane, names))
        if lane.idle:
            self._lanes.pop(lane.server, None)

    async def _ship(self, lane: Lane, names: Sequence[str]) -> None:
        """One request, from files to files; whatever happens, each name goes back to its lane."""
        more = dict.fromkeys(names, False)
        try:
            await self._batch(lane, names, more)
            lane.answered()
        except CancelledError:
            more = dict.fromkeys(names, True)
        except (WmsError, OSError) as error:
            more = dict.fromkeys(names, True)
            self._unanswered(lane, error)
        except Exception as error:  # noqa: BLE001 - whatever it was, the events must be tried again; it is logged
            more = dict.fromkeys(names, True)
            self._kit.log.failure("shipping to {server} failed", server=lane.server)
            self._unanswered(lane, error)
        finally:
            lane.ended()
            for name, again in more.items():
                lane.back(name, again)
            self._pump(lane)

    async def _batch(self, lane: Lane, names: Sequence[str], more: dict[str, bool]) -> None:
        thread = self._kit.thread
        parts, left = await thread(files.stretches, self._directory, names, lane.size, MAX_BYTES)
        more.update(dict.fromkeys(left, True))
        lines = [line.text for stretch in parts for line in stretch.part.lines]
        answer = Logged(0, 0)
        if lines:
            try:
                answer = await self._send(lane.server, b"\n".join(lines) + b"\n")
            except SandboxTooLarge as error:
                if len(lines) > 1:
                    raise
                answer = Logged(0, 0, (RefusedLine(1, error.code, error.message, True),))
            except WmsError:
                await self._expire(parts)
                raise
        for stretch, refused in zip(parts, shared(answer, [len(p.part.lines) for p in parts]), strict=True):
            outcome = settled(stretch.part, stretch.start, refused)
            more[stretch.name] = await thread(self._settle, stretch, outcome)
            self._told(lane, stretch, outcome)
            if outcome.stuck:
                more[stretch.name] = False

    def _settle(self, stretch: Stretch, outcome: Settled) -> bool:
        """In a thread. First what nobody takes is kept, then the file is forgotten."""
        if outcome.aside:
            files.put_aside(self._directory, stretch.name, stretch.head.job, outcome.aside, self._kit.now())
        return files.settle(self._directory, stretch, outcome.offset)

    def _told(self, lane: Lane, stretch: Stretch, outcome: Settled) -> None:
        self.done += outcome.taken
        self.last = self._kit.now()
        self.aside += len(outcome.aside)
        for thing in outcome.aside:
            self._kit.log.error("an event of {job} was put aside: {reason}", job=str(stretch.head.job),
                                reason=thing.reason, event=thing.text[:1000].decode(errors="replace"))
        if outcome.stuck:
            self._kit.log.warn("{server} does not take an event of {job} yet: {reason}", server=lane.server,
                               job=str(stretch.head.job), reason=outcome.stuck)
            self._later(stretch.name, STUCK_S, lambda: self.look_at([stretch.name]))

    # -- trouble -----------------------------------------------------------------------------------------

    def _unanswered(self, lane: Lane, error: Exception) -> None:
        """The server is left alone for a while."""
        self.failed += 1
        pause = lane.unanswered(self._kit.now(), self._settings.retry_s, self._kit.rng.random())
        if lane.failures in (1, 2) or not lane.failures & (lane.failures - 1):
            self._kit.log.warn("{server} takes no events ({failures}): {problem}", server=lane.server,
                               failures=lane.failures, problem=str(error), pause_s=round(pause, 2))
        self._later(lane.server, pause, lambda: self._pump(lane))

    def _later(self, key: str, seconds: float, call: Callable[[], None]) -> None:
        def due() -> None:
            del self._timers[key]
            call()

        if key in self._timers:
            self._timers.pop(key).cancel()
        if not self._ended:
            self._timers[key] = self._kit.clock.callLater(seconds, due)

    async def _expire(self, parts: Sequence[Stretch]) -> None:
        """Events no server takes for a very long time go where a person finds them."""
        for stretch in parts:
            since = await self._kit.thread(files.stuck_since, self._directory, stretch, _moment(stretch))
            if stretch.part.lines and self._kit.now() - since > self._settings.quarantine_after_s:
                await self._move_aside(stretch.name, f"no server took it for {self._kit.now() - since:.0f} s")

    async def _move_aside(self, name: str, reason: str) -> None:
        target = await self._kit.thread(files.move_aside, self._directory, name, reason, self._kit.now())
        if target:
            self.aside += 1
            self._kit.log.critical("a file of events was moved to {directory}/quarantine/{target}: {reason}",
                                   directory=self._directory, target=target, reason=reason)


def _moment(stretch: Stretch) -> float:
    """When the first event of a stretch happened, epoch seconds; long ago when it does not tell."""
    try:
        return from_ulm(stretch.part.lines[0].text.decode()).timestamp if stretch.part.lines else 0.0
    except (BadEvent, UnicodeDecodeError):
        return 0.0
