"""From a free slot to the hand-over: the real broker on SQLite, 100,000 jobs waiting; wall time of every news.

And nodes that matching cannot tell apart, from their arrival to the hand-over or to their place in a lane.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
from twisted.internet.task import Clock
from twisted.logger import Logger

from bench.matching import NOW, attributes, snapshot, wanted
from bench.rows import Row, row
from wm import store
from wm.broker import Broker
from wm.recovery.credential_ends import CredentialEnds
from wm.recovery.memories import Memories
from wm.recovery.retries import Retries
from wm.requests import Requests
from wm.supply.supermarket import Snapshot
from wm.tables import jobs
from wm.turn import Turns
from wms.config import parse
from wms.database import Database, metadata
from wms.messages.submission import NodeJob, Submit, SubmitCompound, SubmitNodes
from wms.queue import Message
from wms.seqcode import START
from wms.service import Kit

WAITING = (1_000, 10_000, 100_000)
CLASSES, CES, NEWS = 1_000, 1_000, 60
NODES, TOGETHER = (1_000, 10_000), 500
OWNER, NODE = "/CN=user 1", f'Executable = "/bin/true"; {wanted(7)}'
FREE = "GlueCEStateFreeJobSlots"


class Shelf:
    """A market that the benchmark fills."""

    def __init__(self, records: list[dict[str, Any]]) -> None:
        self._records = records
        self.snapshot: Snapshot = snapshot(records)

    async def current(self) -> Snapshot:
        return self.snapshot

    def free(self, number: int, slots: int, now: float) -> None:
        """One CE says so many slots are free."""
        record = self._records[number] = {**self._records[number], FREE: slots}
        told = snapshot([record])
        ces = {**self.snapshot.ces, **{id: replace(ce, updated=now) for id, ce in told.ces.items()}}
        self.snapshot = replace(self.snapshot, version=self.snapshot.version + 1, ces=ces)


def submit(number: int) -> Submit:
    """One of CLASSES kinds of jobs."""
    jdl = f'Executable = "/bin/true"; Arguments = "{number}"; {wanted(number % CLASSES)}'
    return Submit(f"https://lb.example.org:9000/j{number:07}", jdl, f"/CN=user {number % 20}", "example", (), "c", 2e9,
                  str(START), NOW + number / 1e6)


@contextmanager
def born(*, lazy: bool) -> Iterator[tuple[Broker, Shelf, Kit]]:
    """A broker on an empty database, and CEs without a free slot."""
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as directory:
        settings = parse(f"{{state_dir: {directory}, wm: {{lazy: {str(lazy).lower()}}}}}")
        database = Database(f"sqlite:///{Path(directory) / 'wms.db'}", None, inline=True)
        metadata.create_all(database.engine)
        clock = Clock()
        clock.advance(NOW)
        kit = Kit(settings, database, clock, rng, {}, Logger(), "wms.example.org",
                  ("lb.example.org", 9000), b"s" * 32)
        shelf = Shelf([{**attributes(one, rng), FREE: 0} for one in range(CES)])
        broker = Broker(kit, shelf, Turns(kit.host), Memories())  # type: ignore[arg-type]
        yield broker, shelf, kit
        database.close()


@contextmanager
def waiting(number: int) -> Iterator[tuple[Broker, Shelf, Kit]]:
    """A broker that has looked at so many lazy jobs, none of which has a slot."""
    with born(lazy=True) as (broker, shelf, kit):
        for first in range(0, number, 5_000):
            new = [(submit(one), str(START)) for one in range(first, min(number, first + 5_000))]
            with kit.database.engine.begin() as conn:
                store.add(conn, new, NOW)
        finish(broker.work())
        yield broker, shelf, kit


def nodes(number: int, *, lazy: bool) -> float:
    """Nodes a second of a compound, all alike, from the messages of their release on."""
    parent = "https://lb.example.org:9000/parent"
    told = [SubmitCompound(parent, "collection", number, OWNER, "example", str(START), NOW), *(
        SubmitNodes(parent, OWNER, "example", (), "c", 2e9, NOW, tuple(
            NodeJob(f"https://lb.example.org:9000/n{one:07}", one, f'Arguments = "{one}"; {NODE}')
            for one in range(first, min(number, first + TOGETHER))), alike=True)
        for first in range(0, number, TOGETHER))]
    messages = [Message(id, "wm", parent, msgspec.json.encode(one), NOW, 1) for id, one in enumerate(told)]
    with born(lazy=lazy) as (broker, _shelf, kit):
        requests = Requests(Turns(kit.host), Retries(kit.settings.wm, Memories(), kit.rng), broker.lanes,
                            CredentialEnds(broker.credentials))
        finish(broker.work())
        began = time.perf_counter()
        for message in messages:
            finish(_handled(kit, requests, message))
            finish(broker.work())
        seconds = time.perf_counter() - began
        assert placed(kit) == (0 if lazy else number)
        assert sum(state.settled for state in broker.lanes.states.values()) == (number if lazy else 0)
        return number / seconds


async def _handled(kit: Kit, requests: Requests, message: Message) -> None:
    await kit.database.transact(requests.handle, [message], kit.now())


def finish(work: Any) -> None:
    """Run a coroutine that needs no reactor."""
    from twisted.internet.defer import Deferred

    found: list[Any] = []
    _ = Deferred.fromCoroutine(work).addBoth(found.append)
    if hasattr(found[0], "raiseException"):
        found[0].raiseException()


def placed(kit: Kit) -> int:
    with kit.database.engine.connect() as conn:
        return int(conn.scalar(sa.select(sa.func.count()).where(jobs.c.phase == store.PLACED)) or 0)


def each(broker: Broker, shelf: Shelf, kit: Kit) -> list[float]:
    """Seconds from the news to the commit that hands the job over."""
    times, rng = [], random.Random(2)
    for number in rng.sample(range(CES), NEWS):
        kit.clock.advance(1.0)  # type: ignore[attr-defined]
        began = time.perf_counter()
        shelf.free(number, 2, kit.now())
        finish(broker.work())
        times.append(time.perf_counter() - began)
    return times


def run(sizes: tuple[int, ...] = WAITING) -> list[Row]:
    rows = []
    for size in sizes:
        began = time.perf_counter()
        with waiting(size) as (broker, shelf, kit):
            rows.append(row("jobs taken up by the broker", size, size / (time.perf_counter() - began), "jobs/s", 0.0))
            times = sorted(each(broker, shelf, kit))
            assert placed(kit) > NEWS
            rows.append(row("slot free to hand-over, p99", size, times[int(len(times) * 0.99)], "s", 2.0))
            rows.append(row("slot free to hand-over, median", size, times[len(times) // 2], "s", 2.0))
    for size in NODES:
        rows.append(row("alike nodes from arrival to hand-over", size, nodes(size, lazy=False), "nodes/s", 3_000.0))
        rows.append(row("alike nodes from arrival to their lane", size, nodes(size, lazy=True), "nodes/s", 3_000.0))
    return rows
