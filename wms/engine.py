"""Engines for the two databases we run on, and which of their errors pass by themselves.

Not transactions for daemons: those are `wms.database`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool

BUSY_TIMEOUT_S = 30
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA wal_autocheckpoint=4000",
)
SILENCE: Mapping[str, Any] = {"connect_timeout": 10, "tcp_user_timeout": 30_000, "keepalives_idle": 15,
                              "keepalives_interval": 5, "keepalives_count": 3}
"""How long a PostgreSQL server may be silent on the network before a connection counts as lost (libpq)."""
_PASSING_CODES = frozenset({
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_PROTOCOL})
_PASSING_STATES = ("08", "40", "53", "57")
"""Classes of PostgreSQL: connection, transaction rolled back, resources, operator intervention."""


def make_engine(url: str) -> sa.Engine:
    """An engine for an SQLAlchemy URL; transactions begin IMMEDIATE on SQLite, so no update is lost."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(_driver(parsed), pool_size=8, max_overflow=4, pool_pre_ping=True,
                                connect_args=dict(SILENCE))
    memory = parsed.database in (None, "", ":memory:")
    engine = sa.create_engine(
        parsed, poolclass=StaticPool if memory else QueuePool,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _sqlite_connect)
    sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def is_passing(error: BaseException | None) -> bool:
    """Is this a fault of the database (connection, lock, space) rather than of a statement?"""
    if not isinstance(error, sa.exc.DBAPIError):
        return False
    if error.connection_invalidated:
        return True
    if not isinstance(error, sa.exc.OperationalError):
        return False
    code, state = getattr(error.orig, "sqlite_errorcode", None), getattr(error.orig, "sqlstate", None)
    if code is not None:
        return code & 0xFF in _PASSING_CODES
    return state is None or state.startswith(_PASSING_STATES)


def reason(error: BaseException | None) -> str:
    """What a database said, in one line, without the statement and its values."""
    return " ".join(str(error.orig if isinstance(error, sa.exc.DBAPIError) else error).split())


def _driver(url: sa.URL) -> sa.URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def _sqlite_begin(connection: sa.Connection) -> None:
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
