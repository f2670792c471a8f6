"""Databases for benchmarks, on disk and durable: an SQLite file, and a PostgreSQL of the benchmark's own.

With what is asked of them beside the daemon: their size, bare inserts of the same rows, how the jobs ended.
"""

from __future__ import annotations

import os
import shlex
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa
from psycopg import sql

from bench.lb_story import STORY
from wms.database import metadata
from wms.engine import SQLITE_PRAGMAS, make_engine
from wms.jobstatus import JobState

POSTGRES = Path(__file__).parent.parent / "tests" / "testbed" / "postgres.sh"
SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
_FOUND = "SELECT state, version, count(*) FROM lb_jobs GROUP BY state, version"
_numbers = count()


class Place(NamedTuple):
    """A database of this kind with the tables, empty at first; its size then, bytes."""

    kind: str
    url: str
    empty: int

    def size(self) -> int:
        """Bytes on disk beyond those of the empty database; of SQLite once nobody has it open."""
        return _size(self.url) - self.empty

    def check(self, jobs: int) -> None:
        """Every job must have ended as told."""
        found = [tuple(row) for row in _ask(self.url, _FOUND)]
        if found != [(JobState.CLEARED.code, len(STORY), jobs)]:
            raise AssertionError(f"wrong states: {found}")


@contextmanager
def servers(folder: str) -> Iterator[dict[str, str]]:
    """By kind, where databases can be made: a folder, and the URL of a server if PostgreSQL is installed."""
    with tempfile.TemporaryDirectory(prefix="pg-") as directory:
        url = _postgres("up", directory)
        try:
            yield {SQLITE: folder, POSTGRESQL: url} if url else {SQLITE: folder}
        finally:
            if url:
                _postgres("down", directory)


def fresh(kind: str, server: str, *, empty: bool = False) -> Place:
    """A new database, with all tables unless it is to be empty."""
    name = f"bench_{os.getpid()}_{next(_numbers)}"
    if kind == SQLITE:
        url = f"sqlite:///{server}/{name}.sqlite"
    else:
        _ask(server, f"CREATE DATABASE {name}")
        url = sa.make_url(server).set(database=name).render_as_string(hide_password=False)
    if not empty:
        engine = make_engine(url)
        metadata.create_all(engine)
        engine.dispose()
    return Place(kind, url, _size(url))


def children(place: Place) -> int:
    """How many registered jobs have a parent."""
    return int(_ask(place.url, "SELECT count(*) FROM lb_jobs WHERE parent <> '' AND type <> ''")[0][0])


def bare(place: Place, size: int, most: int = 1 << 62) -> tuple[float, int]:
    """The rows of events (at most so many) put into an empty copy of their table, `size` a transaction: seconds, and
    bytes of the copy.
    """
    return _bare_sqlite(place, size, most) if place.kind == SQLITE else _bare_postgresql(place, size, most)


def _bare_sqlite(place: Place, size: int, most: int) -> tuple[float, int]:
    finished = place.url.removeprefix("sqlite:///")
    Path(finished + ".bare").unlink(missing_ok=True)
    with closing(sqlite3.connect(finished)) as source:
        schema = source.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'lb_events' AND sql <> ''").fetchall()
        rows = source.execute(f"SELECT * FROM lb_events ORDER BY rowid LIMIT {most}")
        with closing(sqlite3.connect(finished + ".bare", isolation_level=None)) as target:
            for statement in (*SQLITE_PRAGMAS, *(made for (made,) in schema)):
                target.execute(statement)
            insert = f"INSERT INTO lb_events VALUES ({', '.join('?' * len(rows.description))})"
            seconds = 0.0
            while some := rows.fetchmany(size):
                began = time.perf_counter()
                target.execute("BEGIN IMMEDIATE")
                target.executemany(insert, some)
                target.execute("COMMIT")
                seconds += time.perf_counter() - began
    return seconds, os.path.getsize(finished + ".bare")


def _bare_postgresql(place: Place, size: int, most: int) -> tuple[float, int]:
    with psycopg.connect(_plain(place.url)) as reader, psycopg.connect(_plain(place.url)) as target:
        target.execute("DROP TABLE IF EXISTS bare")
        target.execute("CREATE TABLE bare (LIKE lb_events INCLUDING ALL)")
        target.commit()
        rows = reader.cursor("rows")
        rows.execute(sql.SQL("SELECT * FROM lb_events LIMIT {}").format(most))
        seconds = 0.0
        while some := rows.fetchmany(size):
            began = time.perf_counter()
            with target.cursor().copy("COPY bare FROM STDIN") as copy:
                for row in some:
                    copy.write_row(row)
            target.commit()
            seconds += time.perf_counter() - began
        found = target.execute("SELECT pg_total_relation_size('bare')").fetchone()
    return seconds, found[0] if found else 0


def _size(url: str) -> int:
    if url.startswith("sqlite"):
        file = url.removeprefix("sqlite:///")
        return os.path.getsize(file) if os.path.exists(file) else 0
    return int(_ask(url, "SELECT pg_database_size(current_database())")[0][0])


def _ask(url: str, statement: str) -> list[Any]:
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        result = conn.exec_driver_sql(statement)
        found = list(result) if result.returns_rows else []
    engine.dispose()
    return found


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _postgres(verb: str, directory: str) -> str:
    """Start or stop a server; its URL, "" if there is none."""
    os.chmod(directory, 0o755)  # the server runs under an account of its own
    if verb == "up":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            Path(directory, "port").write_text(str(probe.getsockname()[1]))
    environment = {**os.environ, "PG_PORT": Path(directory, "port").read_text(), "PG_FSYNC": "on"}
    try:
        done = subprocess.run([POSTGRES, verb, directory], env=environment, text=True, capture_output=True,
                              timeout=120, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        reason = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        print(f"Nothing is measured on PostgreSQL, which did not start here: {reason.strip()}", file=sys.stderr)
        return ""
    return dict(line.partition("=")[::2] for line in shlex.split(done.stdout)).get("PG_URL", "")
