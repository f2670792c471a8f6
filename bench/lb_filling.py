"""Many jobs in a database in little time: the rows of a few, made by ingesting their events, are copied.

A copy has an identifier, an owner and times of its own, in its columns and in its record. Not its events.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from random import Random
from typing import Any

from bench.lb_story import HOST, NOW, OWNER, story
from lb import store
from lb.tables import jobs
from wms.database import metadata
from wms.engine import make_engine
from wms.identity import canonical_dn
from wms.jobid import JobId

KINDS, OTHERS, MINE = 20, 1000, 10
"""Lengths of stories, people beside OWNER, and that each MINEth job is OWNER's."""
CES = 50


def fill(path: str, n: int) -> list[str]:
    """A new database of `n` jobs; some of their unique parts."""
    _prepare(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as conn:
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -400000"):
            conn.execute(f"PRAGMA {pragma}").fetchall()
        names, templates = _templates(conn)
        uniques: list[str] = []
        statement = f"INSERT INTO lb_jobs ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"
        conn.execute("BEGIN")
        conn.executemany(statement, _copies(names, templates, n, uniques))
        conn.execute("COMMIT")
    return Random(1).sample(uniques, min(n, 10_000))


def _prepare(path: str) -> None:
    """Jobs at all stages of their lives."""
    rng, engine = Random(0), make_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    with engine.begin() as conn:
        for length in range(1, KINDS + 1):
            store.ingest(conn, story(JobId.make(HOST, 9000, rng.randbytes(16)), NOW)[:length], NOW)
    engine.dispose()


def _templates(conn: sqlite3.Connection) -> tuple[Sequence[str], list[dict[str, Any]]]:
    names = [column.name for column in jobs.columns if column.name != "id"]
    found = conn.execute(f"SELECT {', '.join(names)} FROM lb_jobs").fetchall()
    conn.execute("DELETE FROM lb_jobs")
    return names, [dict(zip(names, row, strict=True)) for row in found]


def _copies(names: Sequence[str], templates: Sequence[dict[str, Any]], n: int, uniques: list[str]
            ) -> Iterator[tuple[Any, ...]]:
    rng = Random(n)
    owners = [canonical_dn(f"{OWNER} {number}") for number in range(OTHERS)]
    for number in range(n):
        row, unique = templates[-1 if number % 3 else number % KINDS], JobId.make(HOST, 9000, rng.randbytes(16)).unique
        uniques.append(unique)
        own = {"job": unique, "record": row["record"].replace(row["job"].encode(), unique.encode()),
               "owner": owners[rng.randrange(OTHERS)] if number % MINE else row["owner"],
               "created": NOW + number, "updated": row["updated"] + number, "entered": row["entered"] + number,
               "destination": row["destination"] and f"ce{rng.randrange(CES)}.example.org:8443/slurm-long"}
        yield tuple({**row, **own}[name] for name in names)
