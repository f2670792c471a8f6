"""The database: `transact` (group commit by one writer thread) and `read` (a few reader threads).

A unit is a plain function of a connection, replayable: it may be run again if a companion of its group fails
or the database goes away for a moment. Not a query layer: statements live in each daemon's `store.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from wms.engine import is_passing, make_engine, reason
from wms.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")
Unit = Callable[..., Any]
Done = tuple[list[Any], frozenset[str]]

metadata = sa.MetaData()

GROUP_MAX = 500
RETRY_DELAYS_S = (0.1, 0.5, 2.0, 5.0)
"""A group that met a passing fault is tried again after these; then its callers get Unavailable."""
NOTIFY_CHANNEL = "wms_queue"
_NOTIFY = sa.text("SELECT pg_notify(:channel, topic) FROM unnest(CAST(:topics AS text[])) AS topic")


class _Waiting(NamedTuple):
    unit: Callable[[sa.Connection], Any]
    done: Deferred[Any]


class _Doubtful(Unavailable):
    """The connection was lost while COMMIT was under way: trying again might do it twice."""


class Database:
    """Owns the engine, one writer thread and `readers` reader threads.

    `woken` callables are called on the reactor thread after a commit, with the topics that got messages.
    With `inline=True` everything runs at once in the caller's thread and nothing is tried again (tests with a
    hand-moved clock); a database in memory can only be used so.
    """

    log = Logger(namespace="wms.database")

    def __init__(self, url: str, reactor: Any, *, readers: int = 4, inline: bool = False) -> None:
        self.url = url
        self.engine = make_engine(url)
        self.postgresql = self.engine.dialect.name == "postgresql"
        self._read_options: dict[str, Any] = (
            {"isolation_level": "REPEATABLE READ"} if self.postgresql else {"read_only": True})
        self._reactor = reactor
        self._inline = inline or reactor is None
        self._waiting: list[_Waiting] = []
        self._busy = False
        self._tried = 0
        self._retry: IDelayedCall | None = None
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
            _settle(done, _closed())
        else:
            self._waiting.append(_Waiting(lambda conn: unit(conn, *args, **kwargs), done))
            self._kick()
        return done

    def read(self, unit: Callable[Concatenate[sa.Connection, P], T], *args: P.args,
             **kwargs: P.kwargs) -> Deferred[T]:
        """Run `unit(conn, ...)` on a snapshot, beside the writer."""
        def work() -> T:
            with self.engine.connect().execution_options(**self._read_options) as conn:
                return unit(conn, *args, **kwargs)

        done: Deferred[T] = Deferred()
        if self._closed:
            _settle(done, _closed())
        elif self._inline:
            _settle(done, _attempt(work))
        else:
            self._in_pool(self._readers, work, lambda outcome: _settle(done, outcome))
        return done

    def on_messages(self, woken: Callable[[Container[str]], None]) -> None:
        """Have `woken(topics)` called after each commit that put messages, ours or another process's."""
        self._woken.append(woken)

    def wake(self, topics: Container[str]) -> None:
        """Tell all readers of these topics that something may be there; on the reactor thread."""
        for woken in self._woken:
            woken(topics)

    def close(self) -> None:
        """Finish what the threads have begun, refuse what waits, dispose of every connection. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if not self._inline:
            self._writer.stop()
            self._readers.stop()
        self.engine.dispose()
        waiting, self._waiting = self._waiting, []
        for refused in waiting:
            _settle(refused.done, _closed())

    # -- group commit ------------------------------------------------------------------------------------

    def _kick(self) -> None:
        if self._busy or not self._waiting:
            return
        self._busy = True
        group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
        units = [waiting.unit for waiting in group]
        if self._inline:
            self._finished(group, _attempt(self._run_group, units))
        else:
            self._in_pool(self._writer, lambda: self._run_group(units),
                          lambda outcome: self._finished(group, outcome))

    def _finished(self, group: list[_Waiting], outcome: Done | Failure) -> None:
        """On the reactor thread: a commit or its failure reaches all callers, or the group is tried again."""
        if isinstance(outcome, Failure) and is_passing(outcome.value) and self._may_retry():
            self._later(group, outcome)
            return
        self._busy, self._tried = False, 0
        results, topics = ([outcome] * len(group), ()) if isinstance(outcome, Failure) else outcome
        if topics:
            self.wake(topics)
        for waiting, result in zip(group, results, strict=True):
            _settle(waiting.done, result)
        self._kick()

    def _may_retry(self) -> bool:
        return not self._inline and not self._closed and self._tried < len(RETRY_DELAYS_S)

    def _later(self, group: list[_Waiting], failure: Failure) -> None:
        delay = RETRY_DELAYS_S[self._tried]
        self.log.warn("the database failed, again in {delay} s: {error}", delay=delay,
                      error=reason(failure.value))
        self._waiting[:0] = group
        self._tried += 1
        self._retry = self._reactor.callLater(delay, self._again)

    def _again(self) -> None:
        self._busy, self._retry = False, None
        self._kick()

    def _run_group(self, units: list[Unit]) -> Done:
        """All units in one transaction; if one raises, once more with a savepoint around each."""
        try:
            return self._commit(units, _plain)
        except Exception as error:
            if is_passing(error) or isinstance(error, _Doubtful):
                raise
            if len(units) == 1:
                return [Failure(error)], frozenset()
        return self._commit(units, _in_savepoint)

    def _commit(self, units: list[Unit], run: Callable[[sa.Connection, Unit], Any]) -> Done:
        sealed = False
        try:
            with self.engine.begin() as conn:
                conn.info["topics"] = set()
                results, topics = [run(conn, unit) for unit in units], self._seal(conn)
                sealed = True
        except sa.exc.DBAPIError as error:
            if sealed and error.connection_invalidated:
                raise _Doubtful("The database went away during a commit; its outcome is unknown.") from error
            raise
        return results, topics

    def _seal(self, conn: sa.Connection) -> frozenset[str]:
        topics = frozenset(conn.info["topics"])
        if topics and self.postgresql:
            conn.execute(_NOTIFY, {"channel": NOTIFY_CHANNEL, "topics": sorted(topics)})
        if self.before_commit is not None:
            self.before_commit(conn)
        return topics

    def _in_pool(self, pool: ThreadPool, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        pool.callInThreadWithCallback(
            lambda _ok, outcome: self._reactor.callFromThread(then, outcome), work)


def _plain(conn: sa.Connection, unit: Unit) -> Any:
    return unit(conn)


def _in_savepoint(conn: sa.Connection, unit: Unit) -> Any:
    """What the unit returns, or its Failure with all its traces undone; a fault of the database is raised."""
    topics = set(conn.info["topics"])
    try:
        with conn.begin_nested():
            return unit(conn)
    except Exception as error:
        if is_passing(error):
            raise
        conn.info["topics"] = topics
        return Failure()


def _attempt(work: Callable[..., Any], *args: Any) -> Any:
    try:
        return work(*args)
    except Exception:  # noqa: BLE001 - whatever it is, it belongs to the Deferred of the one who asked
        return Failure()


def _closed() -> Failure:
    return Failure(Unavailable("The database is closed."))


def _settle(done: Deferred[Any], outcome: Any) -> None:
    """Fire with a result or a failure; a fault of the database is Unavailable to the one who asked."""
    if done.called:
        return
    if not isinstance(outcome, Failure):
        done.callback(outcome)
    elif is_passing(outcome.value):
        done.errback(Failure(Unavailable(f"The database does not answer: {reason(outcome.value)[:500]}")))
    else:
        done.errback(outcome)


def note_topic(conn: sa.Connection, topic: str) -> None:
    """Remember that this transaction put a message for `topic`."""
    conn.info.setdefault("topics", set()).add(topic)


__all__ = ["NOTIFY_CHANNEL", "Database", "make_engine", "metadata", "note_topic"]
