"""Compounds on their way: the Workload Manager's and the Network Server's part of releasing nodes, and of their ends.

On SQLite, without matching and bookkeeping: what they are told stays in their queues. The baseline are bare inserts of
rows like those of a node, in transactions as large, in the same run.
"""

from __future__ import annotations

import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from bench.rows import Row, row
from ns import nodes as ns_nodes
from ns import store as ns_store
from ns.credential_upkeep import CredentialUpkeep
from ns.service import Keeper
from wm import store as wm_store
from wm import tables
from wm.compounds import arrivals, pump
from wm.compounds import store as compounds
from wm.requests import take
from wm.turn import Turns
from wms import queue
from wms.config import parse
from wms.database import Database, metadata
from wms.jdl.compounds import compound
from wms.jobid import JobId
from wms.messages import decode
from wms.messages.submission import SubmitCompound, SubmitNodes
from wms.messages.topics import LB, NS, NS_NODES, WM
from wms.seqcode import START
from wms.service import Kit

OWNER = "/DC=org/DC=example/CN=bench"
ENDED = 500


class Line:
    """The daemons' parts on one database; `seconds` of each step are added up."""

    def __init__(self, folder: Path) -> None:
        self.database = Database(f"sqlite:///{folder / 'bench.db'}", None, inline=True)
        metadata.create_all(self.database.engine)
        settings = parse(f"{{state_dir: {folder}}}")
        self.kit = Kit(settings, self.database, Clock(), random.Random(1), {}, Logger(),
                       "wms.example.org", ("lb.example.org", 9000), b"s" * 32, instance="bench")
        self.turns = Turns("wms.example.org", [pump.follow])
        self.pump = pump.Pump(self.kit, self.turns)
        self.keeper, self.nodes = Keeper(self.kit, CredentialUpkeep(self.kit)), ns_nodes.Nodes(self.kit)
        self.seconds = {"release": 0.0, "end": 0.0}

    def measured(self, what: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        found = work()
        self.seconds[what] += time.perf_counter() - began
        return found

    def result(self, work: Any) -> Any:
        found: list[Any] = []
        _ = Deferred.fromCoroutine(work).addBoth(found.append)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def transact(self, unit: Callable[..., Any], *args: Any) -> Any:
        found: list[Any] = []
        _ = self.database.transact(unit, *args).addBoth(found.append)
        if hasattr(found[0], "raiseException"):
            found[0].raiseException()
        return found[0]

    def register(self, text: str, edges: tuple[tuple[int, int], ...]) -> str:
        """A started compound, as the Network Server leaves it; one with edges is a DAG to the Workload Manager."""
        whole, id = compound(text), JobId("lb.example.org", 9000, "b" * 22)
        job = ns_store.Job(id.unique, str(id), OWNER, "dteam", ns_store.STARTED, False, "c" * 64, 2e9, "", str(START),
                           text, 0.0, 0.0, 0, "", False, whole.kind, number=whole.number)
        self.transact(ns_store.add_job, job, ())
        kind = ns_store.DAG if edges else whole.kind
        message = SubmitCompound(str(id), kind, whole.number, OWNER, "dteam", str(START), 0.0, edges)
        self.transact(self._arrive, message)
        return id.unique

    def _arrive(self, conn: sa.Connection, message: SubmitCompound) -> None:
        with self.turns.begin(conn, 0.0) as turn:
            arrivals.compound(turn, message)

    def round(self) -> int:
        """Release what may go, then end it; how many nodes that were."""
        self.measured("release", lambda: self.result(self.pump.work()))
        self.measured("release", lambda: self.transact(self._keep))
        while self.measured("release", lambda: self.result(self._make())):
            self.measured("release", lambda: self.transact(self._take))
        number = 0
        while count := self.measured("end", lambda: self.transact(self._end)):
            number += count
        return number

    def _keep(self, conn: sa.Connection) -> None:
        found = queue.peek_due(conn, NS, 200, now=0.0)
        self.keeper.handle(conn, found, 0.0)
        queue.done(conn, [message.id for message in found])

    async def _make(self) -> int:
        found = await self.database.transact(queue.claim, NS_NODES, 2, now=0.0, lease_s=60.0)
        if found:
            record = await self.nodes.act(found)
            await self.database.transact(_recorded, record, [one.id for one in found])
        return len(found)

    def _take(self, conn: sa.Connection) -> None:
        found = queue.peek_due(conn, WM, 200, now=0.0)
        with self.turns.begin(conn, 0.0) as turn:
            for message in found:
                record = decode(message.body)
                assert isinstance(record, SubmitNodes)
                take(turn, arrivals.nodes(turn, record))
        queue.done(conn, [message.id for message in found])

    def _end(self, conn: sa.Connection) -> int:
        """Some jobs are done, as if they had run."""
        jobs = wm_store.due(conn, 0.0, ENDED)
        with self.turns.begin(conn, 0.0) as turn:
            for job in jobs:
                turn.finish(job, "Done")
        conn.execute(queue.messages.delete().where(queue.messages.c.topic == LB))
        return len(jobs)


def _recorded(conn: sa.Connection, record: Callable[[sa.Connection], object], ids: list[int]) -> None:
    record(conn)
    queue.done(conn, ids)


def layers(number: int, rng: random.Random) -> tuple[tuple[int, int], ...]:
    """Edges of a DAG in layers of 1000 nodes, each with up to three parents in the layer before."""
    return tuple((parent, k) for k in range(1000, number)
                 for parent in sorted({(k // 1000 - 1) * 1000 + rng.randrange(1000) for _ in range(3)}))


def sweep(number: int) -> str:
    return f'[ JobType = "Parametric"; Executable = "/bin/echo"; Arguments = "_PARAM_"; Parameters = {number}; ]'


def bare(folder: Path, number: int) -> float:
    """Rows a second: inserts into two tables, 500 nodes a transaction."""
    conn = sqlite3.connect(folder / "bare.db", isolation_level=None)
    conn.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE a (id TEXT PRIMARY KEY, t TEXT);"
                       "CREATE TABLE b (id TEXT PRIMARY KEY, t TEXT)")
    began = time.perf_counter()
    for first in range(0, number, ENDED):
        rows = [(f"{k * 2654435761 % 2**64:022x}", "x" * 400) for k in range(first, first + ENDED)]
        conn.execute("BEGIN")
        conn.executemany("INSERT INTO a VALUES (?, ?)", rows)
        conn.executemany("INSERT INTO b VALUES (?, ?)", rows)
        conn.execute("COMMIT")
    conn.close()
    return number / (time.perf_counter() - began)


def released(size: int, edges: tuple[tuple[int, int], ...] = ()) -> Iterator[Row]:
    """Release all nodes of a compound and end them."""
    kind = "DAG" if edges else "flat"
    with tempfile.TemporaryDirectory(prefix="compound-bench-") as name:
        folder, line = Path(name), Line(Path(name))
        began = time.perf_counter()
        id = line.register(sweep(size), edges)
        registered = time.perf_counter() - began
        number = 0
        while count := line.round():
            number += count
        line.result(line.pump.work())
        with line.database.engine.connect() as conn:
            found = conn.execute(sa.select(tables.compounds).where(tables.compounds.c.id == id)).one()
        if (found.phase, found.done) != (compounds.OVER, found.number) or number != found.number:
            raise AssertionError(f"{number} nodes of {found.number} have ended")
        line.database.close()
        plain = bare(folder, number)
    whole = sum(line.seconds.values())
    yield row(f"compound, {kind}: released", number, number / line.seconds["release"], "nodes/s", plain)
    yield row(f"compound, {kind}: released and ended", number, number / whole, "nodes/s", plain)
    yield row(f"compound, {kind}: registered", number, 1000 * registered, "ms", 0.0)


def run(n: int = 100_000) -> list[Row]:
    """For n/100, n/10 and n nodes: the rate should not depend on how many there are."""
    found: list[Row] = []
    for size in (n // 100, n // 10, n):
        found += released(size)
        found += released(size, layers(size, random.Random(size)) or ((0, 1),))
    return found
