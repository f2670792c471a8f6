"""Latency of status queries, of pages of jobs and of searches as the database grows, and the memory they take.

n is the number of jobs; the baseline is the bare sqlite3 statement that fetches the same rows, undecoded. Latencies
are the 99th percentile, with rights and JSON. Not the network: that is another measurement.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from bench.lb_filling import fill
from bench.lb_story import NOW, OWNER
from bench.rows import Row, row
from lb import query
from lb.access.rights import policy_of
from lb.queries import replies, search
from lb.queries.condition_texts import from_url
from lb.queries.condition_values import Asked
from lb.queries.flags import Telling, status_record, texts
from lb.queries.search import START, Hit, Search, Sight
from lb.queries.search_plan import plan
from wms import garbage
from wms.database import Database
from wms.identity import Identity

ASKED, PAGES, PAGE = 2_000, 200, 100
QUESTIONS = {
    "LB search of my jobs": "owner=&status=Cleared",
    "LB search by destination": "owner=&destination=ce7.example.org:8443/slurm-long&status=Cleared",
    "LB search by update": "owner=&lastupdatetime>{recent}",
}
_encode = msgspec.json.Encoder().encode


def _p99_ms(ask: Callable[[Any], object], asked: Sequence[Any]) -> float:
    times = []
    for one in asked:
        began = time.perf_counter()
        ask(one)
        times.append(time.perf_counter() - began)
    return 1000 * sorted(times)[len(times) * 99 // 100]


class Reader:
    """Who asks, of one database, in one thread."""

    def __init__(self, path: str) -> None:
        self.database = Database(f"sqlite:///{path}", None, inline=True)
        self.sight = Sight(Identity(OWNER, not_after=2 * NOW), policy_of(), b"salt")
        self.telling = Telling(frozenset(), self.sight, 10_000, 100_000)

    def status(self, unique: str) -> bytes:
        found: list[bytes] = []
        asked = self.database.read(lambda conn: _encode(status_record(query.status(conn, unique))))
        _ = asked.addCallback(found.append)
        return found[0]

    def search(self, text: str, limit: int = PAGE) -> int:
        """Jobs told, in stretches of 500."""
        question = Search(self.database, plan(from_url(text, Asked(OWNER, NOW))), self.sight)
        steps = search.taken(question.steps(START, min(limit + 1, 500)), limit, lambda: False)
        answer = replies.told(steps, self._texts, search.cursor)
        counted: list[int] = []
        _ = Deferred.fromCoroutine(_count(answer)).addCallback(counted.append)
        return counted[0]

    async def _texts(self, hits: list[Hit]) -> list[bytes]:
        return await self.database.read(texts, [(hit.view, hit.found) for hit in hits], self.telling)


async def _count(answer: replies.Answer) -> int:
    return sum([len(stretch.texts) async for stretch in answer])


def _measure(path: str, n: int, uniques: Sequence[str]) -> list[Row]:
    """In a process of its own, for its memory."""
    garbage.settle()
    reader, asked = Reader(path), Random(2).choices(uniques, k=ASKED)
    with closing(sqlite3.connect(path)) as bare:
        found = list(_latencies(reader, bare, n, asked))
    began = time.perf_counter()
    told = reader.search("owner=", limit=1 << 62)
    found.append(row("LB stream of my jobs", n, told / (time.perf_counter() - began), "jobs/s", 0.0))
    found.append(row("LB memory of queries", n, _peak_mb(), "MB", 0.0))
    return found


def _latencies(reader: Reader, bare: sqlite3.Connection, n: int, asked: Sequence[str]) -> Iterator[Row]:
    by_id = "SELECT job, version, record FROM lb_jobs WHERE job = ?"
    yield row("LB status by id (p99)", n, _p99_ms(reader.status, asked), "ms",
              _p99_ms(lambda one: bare.execute(by_id, (one,)).fetchall(), asked))
    page = ("SELECT job, version, record FROM lb_jobs WHERE owner = ? AND type <> '' "
            "ORDER BY created DESC, id DESC LIMIT ?")
    (owner,) = bare.execute("SELECT owner FROM lb_jobs ORDER BY id LIMIT 1").fetchone()
    baseline = _p99_ms(lambda _one: bare.execute(page, (owner, PAGE)).fetchall(), range(PAGES))
    yield row(f"LB page of {PAGE} jobs (p99)", n, _p99_ms(reader.search, ["owner="] * PAGES), "ms", baseline)
    for name, text in QUESTIONS.items():
        question = text.format(recent=NOW + n - 1000)
        yield row(f"{name} (p99)", n, _p99_ms(reader.search, [question] * PAGES), "ms", baseline)


def _peak_mb() -> float:
    """The largest resident memory of this process so far."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (peak,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(peak) / 1000


def _at(n: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder:
        path = os.path.join(folder, "lb.sqlite")
        uniques = fill(path, n)
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(_measure, (path, n, uniques))


def run(n: int = 1_000_000) -> list[Row]:
    """For n/100, n/10 and n jobs: the latency should not depend on how many there are."""
    return [found for size in (n // 100, n // 10, n) for found in _at(size)]
