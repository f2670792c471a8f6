"""The database: `transact` (group commit by one writer thread) and `read` (a few reader threads).

A unit is a plain function of a connection, replayable: it may be run again alone if a companion of its group
fails. Not a query layer: statements live in each daemon's `store.py`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Container
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, StaticPool
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from wms.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Unit = Callable[..., Any]

metadata = sa.MetaData()

GROUP_MAX = 500
BUSY_TIMEOUT_S = 30
NOTIFY_CHANNEL = "wms_queue"
SQLITE_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    f"PRAGMA busy_timeout={BUSY_TIMEOUT_S * 1000}",
    "PRAGMA foreign_keys=ON",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-16000",
    "PRAGMA wal_autocheckpoint=4000",
)


def make_engine(url: str) -> sa.Engine:
    """An engine whose transactions begin IMMEDIATE on SQLite, so that no update is lost; URL as SQLAlchemy's."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return sa.create_engine(_driver(parsed), pool_size=8, max_overflow=4, pool_pre_ping=True)
    memory = parsed.database in (None, "", ":memory:")
    engine = sa.create_engine(
        parsed, poolclass=StaticPool if memory else QueuePool,
        connect_args={"isolation_level": None, "check_same_thread": False, "timeout": BUSY_TIMEOUT_S})
    sa.event.listen(engine, "connect", _sqlite_connect)
    sa.event.listen(engine, "begin", _sqlite_begin)
    return engine


def _driver(url: sa.URL) -> sa.URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    for pragma in SQLITE_PRAGMAS:
        connection.execute(pragma)


def _sqlite_begin(connection: sa.Connection) -> None:
    read_only = connection.get_execution_options().get("read_only")
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


class _Waiting(NamedTuple):
    unit: Callable[[sa.Connection], Any]
    done: Deferred[Any]


class Database:
    """Owns the engine, one writer thread and `readers` reader threads.

    `woken` callables are called on the reactor thread after a commit with the set of topics that got messages.
    With `inline=True` everything runs at once in the caller's thread (tests with a hand-moved clock).
    """

    def __init__(self, url: str, reactor: IReactorFromThreads | None, *, readers: int = 4,
                 inline: bool = False) -> None:
        self.url = url
        self.engine = make_engine(url)
        self.postgresql = self.engine.dialect.name == "postgresql"
        self._reactor = reactor
        self._inline = inline or reactor is None
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._closed = False
        self._woken: list[Callable[[Container[str]], None]] = []
        self._writer = ThreadPool(0, 1, "db-writer")
        self._readers = ThreadPool(0, readers, "db-reader")
        self.before_commit: Callable[[sa.Connection], None] | None = None
        if not self._inline:
            self._writer.start()
            self._readers.start()

    # -- what daemons call -------------------------------------------------------------------------------

    def transact(self, unit: Callable[Concatenate[sa.Connection, P], T], *args: P.args,
                 **kwargs: P.kwargs) -> Deferred[T]:
        """Run `unit(conn, ...)` in a transaction; fires with its result when that is on disk."""
        done: Deferred[T] = Deferred()
        if self._closed:
            done.errback(Failure(Unavailable("The database is closed.")))
            return done
        self._waiting.append(_Waiting(lambda conn: unit(conn, *args, **kwargs), done))
        self._kick()
        return done

    def read(self, unit: Callable[Concatenate[sa.Connection, P], T], *args: P.args,
             **kwargs: P.kwargs) -> Deferred[T]:
        """Run `unit(conn, ...)` on a snapshot, beside the writer."""
        def work() -> T:
            with self.engine.connect().execution_options(read_only=True) as conn:
                return unit(conn, *args, **kwargs)

        done: Deferred[T] = Deferred()
        if self._inline:
            _settle(done, _attempt(work))
        else:
            self._in_pool(self._readers, work, lambda outcome: _settle(done, outcome))
        return done

    def on_messages(self, woken: Callable[[Container[str]], None]) -> None:
        """Have `woken(topics)` called after each commit that put messages, ours or another process's."""
        self._woken.append(woken)

    def close(self) -> None:
        """Finish what is queued in the threads, then dispose of every connection."""
        self._closed = True
        for pool in (self._writer, self._readers):
            if not self._inline:
                pool.stop()
        self.engine.dispose()

    # -- group commit ------------------------------------------------------------------------------------

    def _kick(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        units = [waiting.unit for waiting in group]

        def finished(outcome: Any) -> None:
            self._busy = False
            results, topics = outcome if not isinstance(outcome, Failure) else ([outcome] * len(group), ())
            if topics:
                self.wake(topics)
            for waiting, result in zip(group, results, strict=True):
                _settle(waiting.done, result)
            self._kick()

        if self._inline:
            finished(_attempt(self._run_group, units))
        else:
            self._in_pool(self._writer, lambda: self._run_group(units), finished)

    def _run_group(self, units: list[Unit]) -> tuple[list[Any], frozenset[str]]:
        """All units in one transaction; if one raises, once more with a savepoint around each."""
        try:
            with self.engine.begin() as conn:
                conn.info["topics"] = set()
                return [unit(conn) for unit in units], self._seal(conn)
        except Exception as error:  # noqa: BLE001 - a unit may raise anything: it goes to that unit's Deferred
            if len(units) == 1:
                return [Failure(error)], frozenset()
        with self.engine.begin() as conn:
            conn.info["topics"] = set()
            return [_attempt(_in_savepoint, conn, unit) for unit in units], self._seal(conn)

    def _seal(self, conn: sa.Connection) -> frozenset[str]:
        topics = frozenset(conn.info["topics"])
        if topics and self.postgresql:
            conn.execute(sa.text("SELECT pg_notify(:channel, :topics)"),
                         {"channel": NOTIFY_CHANNEL, "topics": ",".join(sorted(topics))})
        if self.before_commit is not None:
            self.before_commit(conn)
        return topics

    def wake(self, topics: Container[str]) -> None:
        """Tell all readers of these topics that something may be there; on the reactor thread."""
        for woken in self._woken:
            woken(topics)

    def _in_pool(self, pool: ThreadPool, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        reactor = self._reactor
        assert reactor is not None
        pool.callInThreadWithCallback(
            lambda _ok, outcome: reactor.callFromThread(then, outcome), work)


def _in_savepoint(conn: sa.Connection, unit: Unit) -> Any:
    with conn.begin_nested():
        return unit(conn)


def _attempt(work: Callable[..., Any], *args: Any) -> Any:
    try:
        return work(*args)
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the Deferred of the one who asked
        return Failure()


def _settle(done: Deferred[Any], outcome: Any) -> None:
    if done.called:
        return
    if isinstance(outcome, Failure):
        done.errback(outcome)
    else:
        done.callback(outcome)


def note_topic(conn: sa.Connection, topic: str) -> None:
    """Remember that this transaction put a message for `topic`."""
    conn.info.setdefault("topics", set()).add(topic)


__all__ = ["NOTIFY_CHANNEL", "Database", "make_engine", "metadata", "note_topic"]
