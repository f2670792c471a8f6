"""Submissions a second over HTTPS, one client after another and a burst, beside bare durable SQLite inserts."""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing

from bench.deployment import CLIENTS, spread, suite
from bench.jobs import submit
from bench.rows import Row, row
from clients.api import Client
from wms.engine import SQLITE_PRAGMAS

SINGLE = (50, 200)
BURST = (100, 1000)
WAITS = 'Executable = "/bin/true"; Requirements = false;'


def one(client: Client, _n: int) -> str:
    """A job that stays: its matching is not what is measured."""
    return client.submit(WAITS).job


def bare(n: int) -> float:
    """Durable single-row transactions a second, one after the other."""
    with tempfile.TemporaryDirectory(prefix="wms-bench-") as folder, \
            closing(sqlite3.connect(f"{folder}/bare.sqlite", isolation_level=None)) as conn:
        for pragma in SQLITE_PRAGMAS:
            conn.execute(pragma)
        conn.execute("CREATE TABLE jobs (id INTEGER PRIMARY KEY, jdl TEXT)")
        began = time.perf_counter()
        for _ in range(n):
            conn.execute("INSERT INTO jobs (jdl) VALUES (?)", (WAITS,))
        return n / (time.perf_counter() - began)


def run() -> list[Row]:
    rows = []
    for name, sizes, clients in (("submissions, one client", SINGLE, 1), ("submissions, burst", BURST, CLIENTS)):
        for n in sizes:
            with suite(2):
                spread(submit, range(1), 1)
                began = time.perf_counter()
                jobs = spread(one, range(n), clients)
                rows.append(row(name, n, n / (time.perf_counter() - began), "jobs/s", bare(n)))
                assert len(set(jobs)) == n
    return rows
