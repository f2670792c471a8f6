"""Latency of a status query by identifier, and of a page of jobs, as the database grows.

n is the number of jobs; the baseline is the bare sqlite3 statement that fetches the same rows, undecoded.
Not the network: that is another measurement.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from random import Random

from bench.lb_events import NOW, OWNER, story
from bench.rows import Row, row
from lb import query, store
from wms.database import metadata
from wms.engine import make_engine
from wms.jobid import JobId

ASKED = 2_000
PAGE = 100


def _fill(path: str, n: int) -> list[str]:
    """A database of `n` finished jobs; the unique parts of their identifiers."""
    rng, engine = Random(n), make_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    jobs = (JobId.make("wms.example.org", 9000, rng.randbytes(16)) for _ in range(n))
    uniques: list[str] = []
    while some := list(islice(jobs, 200)):
        with engine.begin() as conn:
            store.ingest(conn, [event for id in some for event in story(id, NOW + len(uniques))], NOW)
        uniques += [id.unique for id in some]
    engine.dispose()
    return uniques


def _mean_us(ask: Callable[[str], object], asked: list[str]) -> float:
    began = time.perf_counter()
    for one in asked:
        ask(one)
    return (time.perf_counter() - began) / len(asked) * 1e6


def _measure(n: int) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix="lb-bench-") as folder:
        path = os.path.join(folder, "lb.sqlite")
        asked = Random(1).choices(_fill(path, n), k=ASKED)
        with make_engine(f"sqlite:///{path}").connect().execution_options(read_only=True) as conn, closing(
                sqlite3.connect(path)) as bare:
            by_id, page = _bare(bare)
            ours = _mean_us(lambda one: query.status(conn, one), asked)
            yield row("LB status by id", n, ours, "us", _mean_us(by_id, asked))
            ours = _mean_us(lambda _one: query.user_jobs(conn, OWNER, limit=PAGE), asked[:50])
            yield row(f"LB page of {PAGE} jobs", n, ours, "us", _mean_us(page, asked[:50]))


def _bare(conn: sqlite3.Connection) -> tuple[Callable[[str], object], Callable[[str], object]]:
    by_id = "SELECT job, version, record FROM lb_jobs WHERE job = ?"
    page = ("SELECT job, version, record FROM lb_jobs WHERE owner = ? AND type <> '' "
            "ORDER BY created DESC, id DESC LIMIT ?")
    owner = conn.execute("SELECT owner FROM lb_jobs LIMIT 1").fetchone()[0]
    return (lambda one: conn.execute(by_id, (one,)).fetchall(),
            lambda _one: conn.execute(page, (owner, PAGE)).fetchall())


def run(n: int = 20_000) -> list[Row]:
    """For n/25, n/5 and n jobs: the latency should not depend on how many there are."""
    return [found for size in (n // 25, n // 5, n) for found in _measure(size)]
