"""Events a second through the real ingest path of Logging & Bookkeeping, with everybody who follows it.

Eight producers, durable, with group commit, on SQLite and PostgreSQL: directly, and through the queue with the daemon.
The baseline are bare inserts (COPY on PostgreSQL) of the same rows into the same table, as many a transaction.
Each measurement is a process of its own, for its memory. Not a test, but every job must end as told.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from bench.lb_places import bare, fresh, servers
from bench.lb_story import HOST, PRODUCERS, STORY, Shape, prepared, read
from bench.lb_story import NOW as NOW
from bench.lb_story import OWNER as OWNER
from bench.rows import Row, row
from lb.access.denials import Gate
from lb.keeper import keep
from lb.notices.notification_service import notification_service
from lb.service import followers, make
from wms import eventlog, garbage, queue
from wms.config import Settings
from wms.database import Database
from wms.messages.topics import LB
from wms.service import Kit

LINGER_S = 0.05
"""As in the daemon's own process."""
Work = Callable[[Any], Coroutine[Deferred[Any], Any, float]]


def on_reactor(work: Work) -> float:
    """Run `work(reactor)` on a reactor of its own; its result."""
    reactor: Any = EPollReactor()
    outcome: list[Any] = []

    def begin() -> None:
        done = Deferred.fromCoroutine(work(reactor)).addBoth(outcome.append)
        _ = done.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run(installSignalHandlers=False)
    if isinstance(outcome[0], Failure):
        outcome[0].raiseException()
    seconds: float = outcome[0]
    return seconds


def kit_of(reactor: Any, database: Database) -> Kit:
    """What a daemon may touch, with the defaults of the settings."""
    return Kit(Settings(), database, reactor, Random(1), {}, Logger(), HOST, (HOST, 9000), b"secret",
               linger_s=LINGER_S)


async def _directly(reactor: Any, url: str, files: Sequence[Path]) -> float:
    """Seconds for all producers to have everything on disk, each one batch at a time."""
    database = Database(url, reactor)
    kit = kit_of(reactor, database)
    told = (*followers(kit), notification_service(kit, Gate(kit)).notifier.follow)

    async def produce(file: Path) -> None:
        for batch in read(file):
            await database.transact(keep, batch, reactor.seconds(), told)

    seconds = await _produced(produce, files)
    database.close()
    return seconds


async def _through_the_queue(reactor: Any, url: str, files: Sequence[Path]) -> float:
    """The same from `eventlog.log` to the state, by the daemon itself; each batch is a message."""
    database = Database(url, reactor)
    daemon = make(kit_of(reactor, database))
    await daemon.start()

    async def produce(file: Path) -> None:
        for batch in read(file):
            await database.transact(eventlog.log, batch, now=reactor.seconds())

    seconds = await _produced(produce, files)
    began = time.perf_counter()
    while await database.read(queue.next_due, LB) is not None:
        await deferLater(reactor, 0.002)
    seconds += time.perf_counter() - began
    await daemon.stop()
    database.close()
    return seconds


async def _produced(produce: Callable[[Path], Coroutine[Deferred[Any], Any, None]], files: Sequence[Path]) -> float:
    began = time.perf_counter()
    await gatherResults([Deferred.fromCoroutine(produce(file)) for file in files])
    return time.perf_counter() - began


def peak_mb(process: int | str = "self") -> float:
    """The largest resident memory of a process so far."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak) / 1000


def _measured(way: str, url: str, files: Sequence[Path]) -> tuple[float, float]:
    """Seconds and peak memory (MB); in a process of its own that begins as the daemon's does."""
    garbage.settle()
    return on_reactor(partial(WAYS[way], url=url, files=files)), peak_mb()


def _rows(n: int, places: Mapping[str, str], files: Sequence[Path]) -> Iterator[Row]:
    total = n // PRODUCERS // len(STORY) * len(STORY) * PRODUCERS
    jobs = total // len(STORY)
    for kind, server in places.items():
        for name in WAYS:
            place = fresh(kind, server)
            with get_context("spawn").Pool(1) as pool:
                seconds, memory = pool.apply(_measured, (name, place.url, files))
            place.check(jobs)
            size = place.size()
            plain, plain_size = bare(place, PRODUCERS * Shape().batch)
            yield row(f"{name}, {kind}", total, total / seconds, "events/s", total / plain)
            yield row(f"{name}, {kind}: memory", total, memory, "MB", 0.0)
            yield row(f"{name}, {kind}: disk", total, size / jobs / 1000, "kB/job", plain_size / jobs / 1000)


WAYS: dict[str, Callable[..., Coroutine[Deferred[Any], Any, float]]] = {
    "LB ingest": _directly, "LB ingest with queue": _through_the_queue}


def run(n: int = 40_000) -> list[Row]:
    """For n/20, n/4 and n events: the rate should not depend on how many there are."""
    found: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder, servers(folder) as places:
        for size in (n // 20, n // 4, n):
            found += _rows(size, places, prepared(Path(folder), size, time.time()))
            print(f"{size} events, load {os.getloadavg()[0]:.1f}", flush=True)
    return found
