"""News from other processes on the same database: LISTEN/NOTIFY on PostgreSQL, the file's version on SQLite.

Only wake-ups: a lost one costs a consumer's poll period, never a message.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from twisted.internet.task import LoopingCall

from wms.database import NOTIFY_CHANNEL, Database
from wms.engine import SILENCE

if TYPE_CHECKING:
    import psycopg

LOOK_S = 0.05
LISTEN_S = 1.0
RECONNECT_S = 2.0


class _Everything:
    """Contains every topic."""

    def __contains__(self, _topic: object) -> bool:
        return True


EVERYTHING = _Everything()


class SqliteWakeups:
    """Looks at `PRAGMA data_version`, a counter in shared memory, 20 times a second."""

    def __init__(self, database: Database, reactor: Any) -> None:
        self._database = database
        path = Path(sa.make_url(database.url).database or "").absolute()
        self._connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
        self._seen = -1
        self._looking = LoopingCall(self._look)
        self._looking.clock = reactor

    async def start(self) -> None:
        _ = self._looking.start(LOOK_S)

    async def stop(self) -> None:
        if self._looking.running:
            self._looking.stop()
        self._connection.close()

    def _look(self) -> None:
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.OperationalError:  # busy or a disk fault: the next look may succeed
            return
        if version != self._seen:
            self._seen = version
            self._database.wake(EVERYTHING)


class PostgresWakeups:
    """A thread with a connection of its own that listens."""

    def __init__(self, database: Database, reactor: Any) -> None:
        self._database = database
        self._reactor = reactor
        self._url = sa.make_url(database.url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._ended = Event()
        self._thread = Thread(target=self._listen, name="db-listener", daemon=True)

    async def start(self) -> None:
        self._thread.start()

    async def stop(self) -> None:
        self._ended.set()

    def _listen(self) -> None:
        import psycopg

        while not self._ended.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, **SILENCE) as connection:
                    connection.execute(f"LISTEN {NOTIFY_CHANNEL}")
                    self._tell(EVERYTHING)
                    self._receive(connection)
            except psycopg.OperationalError:
                self._ended.wait(RECONNECT_S)

    def _receive(self, connection: psycopg.Connection) -> None:
        while not self._ended.is_set():
            for notification in connection.notifies(timeout=LISTEN_S):
                self._tell(frozenset(notification.payload.split(",")))

    def _tell(self, topics: Any) -> None:
        tell: Callable[[Any], None] = self._database.wake
        if not self._ended.is_set():
            self._reactor.callFromThread(tell, topics)


def wakeups(database: Database, reactor: Any) -> SqliteWakeups | PostgresWakeups:
    """The part that suits the database."""
    return PostgresWakeups(database, reactor) if database.postgresql else SqliteWakeups(database, reactor)
