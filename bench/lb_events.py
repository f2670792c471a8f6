"""Events a second through the real ingest path of Logging & Bookkeeping, beside bare inserts of their rows.

Durable, on a file, with group commit. The baseline is `executemany` of the finished event rows with the same
pragmas, as many a transaction, without any state. Not a test, but every job must end as told.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import groupby
from operator import attrgetter
from random import Random
from typing import Any

import sqlalchemy as sa
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from bench.rows import Row, row
from lb import store
from lb.service import make
from wms import queue
from wms.config import Settings
from wms.database import Database, metadata
from wms.engine import SQLITE_PRAGMAS
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.jobstatus import JobState
from wms.messages import LB
from wms.seqcode import START
from wms.service import Kit

PRODUCERS = 8
TOGETHER, AT_ONCE = 50, 2  # jobs that advance together, events each of them gets at once
NOW = 1.7e9
HOST = "wms.example.org"
OWNER = "/DC=org/DC=example/O=Particle Physics/CN=Grace Example"
CE = "ce.example.org:8443/slurm-long"
JDL = """[ Executable = "/bin/sh"; Arguments = "run.sh 1000 events.root"; StdOutput = "out"; StdError = "err";
  InputSandbox = { "run.sh", "config.yaml" }; OutputSandbox = { "out", "err", "events.root" };
  Requirements = other.GlueCEStateStatus == "Production" && other.GlueCEPolicyMaxCPUTime > 720;
  Rank = - other.GlueCEStateEstimatedResponseTime; RetryCount = 3; ShallowRetryCount = 3;
  VirtualOrganisation = "example" ]"""

STORY: tuple[tuple[Source, str, dict[str, Any]], ...] = (
    (Source.NETWORK_SERVER, "RegJob", {"jdl": JDL, "ns": f"https://{HOST}:9000", "jobtype": "SIMPLE"}),
    (Source.NETWORK_SERVER, "Accepted", {"from": "UserInterface", "from_host": "ui.example.org"}),
    (Source.NETWORK_SERVER, "EnQueued", {"queue": "wm", "result": "OK"}),
    (Source.WORKLOAD_MANAGER, "DeQueued", {"queue": "wm"}),
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": CE}),
    (Source.WORKLOAD_MANAGER, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
    (Source.JOB_CONTROLLER, "DeQueued", {"queue": "jobadapter"}),
    (Source.JOB_CONTROLLER, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example.org", "job": "4711", "result": "OK",
        "dest_jobid": "4711"}),
    (Source.LOG_MONITOR, "Accepted", {"from": "JobController", "from_host": HOST, "local_jobid": "4711"}),
    (Source.LOG_MONITOR, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example.org", "job": "4711", "result": "OK"}),
    (Source.LRMS, "Running", {"node": "wn042.example.org"}),
    (Source.LRMS, "ReallyRunning", {}),
    (Source.APPLICATION, "UserTag", {"name": "progress", "value": "10 %"}),
    (Source.APPLICATION, "UserTag", {"name": "progress", "value": "90 %"}),
    (Source.LRMS, "ResourceUsage", {"resource": "real", "quantity": 3605.2, "unit": "s"}),
    (Source.LRMS, "ResourceUsage", {"resource": "user", "quantity": 3511.7, "unit": "s"}),
    (Source.LRMS, "ResourceUsage", {"resource": "sys", "quantity": 12.1, "unit": "s"}),
    (Source.LRMS, "Done", {"status_code": "OK", "exit_code": 0}),
    (Source.LOG_MONITOR, "Done", {
        "status_code": "OK", "exit_code": 0, "reason": "Job terminated successfully"}),
    (Source.NETWORK_SERVER, "Clear", {"reason": "USER"}),
)


def story(job: JobId, now: float) -> list[Event]:
    """The twenty events of a job that goes well; users and their tools give their name, daemons none."""
    code, events = START, []
    for index, (source, type, fields) in enumerate(STORY):
        code = code.advanced(source)
        user = OWNER if source in (Source.NETWORK_SERVER, Source.APPLICATION) else ""
        events.append(event(type, str(job), source, code, now + index, HOST, user, **fields))
    return events


def batches(producer: int, n: int) -> Iterator[list[Event]]:
    """`n` events of one producer: TOGETHER jobs at a time advance by AT_ONCE events a batch."""
    rng = Random(producer)
    jobs = [story(JobId.make(HOST, 9000, rng.randbytes(16)), NOW + k) for k in range(n // len(STORY))]
    for begin in range(0, len(jobs), TOGETHER):
        group = jobs[begin:begin + TOGETHER]
        for at in range(0, len(STORY), AT_ONCE):
            yield [one for job in group for one in job[at:at + AT_ONCE]]


def on_reactor(work: Callable[[Any], Coroutine[Deferred[Any], Any, float]]) -> float:
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
    return Kit(Settings(), database, reactor, Random(1), {}, Logger(), HOST, (HOST, 9000), b"secret")


async def _ingested(reactor: Any, url: str, work: Sequence[Sequence[list[Event]]]) -> float:
    """Seconds for all producers to have everything on disk, each one batch at a time."""
    database = Database(url, reactor)
    metadata.create_all(database.engine)

    async def produce(mine: Sequence[list[Event]]) -> None:
        for batch in mine:
            await database.transact(store.ingest, batch, reactor.seconds())

    began = time.perf_counter()
    await gatherResults([Deferred.fromCoroutine(produce(mine)) for mine in work])
    seconds = time.perf_counter() - began
    database.close()
    return seconds


async def _through_the_queue(reactor: Any, url: str, work: Sequence[Sequence[list[Event]]]) -> float:
    """The same from `eventlog.log` to the state, by the daemon itself; each job's news are one message."""
    database = Database(url, reactor)
    metadata.create_all(database.engine)
    daemon = make(kit_of(reactor, database))
    await daemon.start()

    async def produce(mine: Sequence[list[Event]]) -> None:
        for batch in mine:
            await database.transact(_log, batch, reactor.seconds())

    began = time.perf_counter()
    await gatherResults([Deferred.fromCoroutine(produce(mine)) for mine in work])
    while await database.read(queue.next_due, LB) is not None:
        await deferLater(reactor, 0.002)
    seconds = time.perf_counter() - began
    await daemon.stop()
    database.close()
    return seconds


def _log(conn: sa.Connection, batch: Sequence[Event], now: float) -> None:
    by_job = groupby(batch, key=attrgetter("job"))
    queue.put_many(conn, LB, [(job, list(news)) for job, news in by_job], now=now)


def _bare(path: str, finished: str, size: int) -> float:
    """Seconds to insert the event rows of the database `finished` into an empty one, `size` a transaction."""
    with closing(sqlite3.connect(finished)) as source:
        rows = source.execute("SELECT * FROM lb_events ORDER BY rowid").fetchall()
        schema = source.execute("SELECT sql FROM sqlite_master WHERE name = 'lb_events'").fetchone()[0]
    places = ", ".join("?" * len(rows[0]))
    with closing(sqlite3.connect(path, isolation_level=None)) as target:
        for pragma in SQLITE_PRAGMAS:
            target.execute(pragma)
        target.execute(schema)
        began = time.perf_counter()
        for at in range(0, len(rows), size):
            target.execute("BEGIN IMMEDIATE")
            target.executemany(f"INSERT INTO lb_events VALUES ({places})", rows[at:at + size])
            target.execute("COMMIT")
        return time.perf_counter() - began


def _check(path: str, jobs: int) -> None:
    with closing(sqlite3.connect(path)) as conn:
        found = conn.execute("SELECT state, version, count(*) FROM lb_jobs GROUP BY 1, 2").fetchall()
    if found != [(JobState.CLEARED.code, len(STORY), jobs)]:
        raise AssertionError(f"wrong states: {found}")


def _measure(n: int) -> Iterator[Row]:
    each = n // PRODUCERS // len(STORY) * len(STORY)
    work = [list(batches(producer, each)) for producer in range(PRODUCERS)]
    total, jobs = PRODUCERS * each, PRODUCERS * each // len(STORY)
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder:
        for name, way in WAYS.items():
            path = os.path.join(folder, f"{way.__name__}.sqlite")
            rate = total / on_reactor(partial(way, url=f"sqlite:///{path}", work=work))
            _check(path, jobs)
            bare = total / _bare(path + ".bare", path, PRODUCERS * TOGETHER * AT_ONCE)
            yield row(name, total, rate, "events/s", bare)
        ours, bare = (os.path.getsize(file) / jobs / 1000 for file in (path, path + ".bare"))
        yield row("LB database", total, ours, "kB/job", bare)


WAYS: dict[str, Callable[..., Coroutine[Deferred[Any], Any, float]]] = {
    "LB ingest": _ingested, "LB ingest with queue": _through_the_queue}


def run(n: int = 40_000) -> list[Row]:
    """For n/20, n/4 and n events: the rate should not depend on how many there are."""
    return [found for size in (n // 20, n // 4, n) for found in _measure(size)]
