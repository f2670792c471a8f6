"""A bookkeeping daemon in memory, with a clock moved by hand, and the stories its jobs tell."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from lb import store
from lb.keeper import keep
from lb.service import followers, make
from lb.store import Ingested
from wms import eventlog, queue
from wms.config import Settings
from wms.database import Database, metadata
from wms.event import Event, Source, event
from wms.httpd import Call
from wms.identity import Identity
from wms.operations import OPERATIONS
from wms.seqcode import START
from wms.service import Daemon, Kit

HOST, PORT = "lb.example", 9000
JANE, JOHN = "/DC=org/CN=Jane", "/DC=org/CN=John"
START_TIME = 1_700_000_000.0

STORY: tuple[tuple[Source, str, dict[str, object]], ...] = (
    (Source.NETWORK_SERVER, "RegJob", {
        "jdl": "[ Executable = \"a\" ]", "ns": "ns.example", "jobtype": "SIMPLE"}),
    (Source.NETWORK_SERVER, "Accepted", {"from": "UserInterface", "from_host": "ui.example"}),
    (Source.NETWORK_SERVER, "EnQueued", {"queue": "wm", "result": "OK"}),
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": "ce.example/long"}),
    (Source.WORKLOAD_MANAGER, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
    (Source.JOB_CONTROLLER, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example", "job": "7", "result": "OK"}),
    (Source.LOG_MONITOR, "Transfer", {
        "destination": "LRMS", "dest_host": "ce.example", "job": "7", "result": "OK"}),
    (Source.LRMS, "Running", {"node": "wn1.example"}),
    (Source.APPLICATION, "UserTag", {"name": "Step", "value": "<b>1</b>"}),
    (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 3, "reason": "it ended"}),
)


def url(unique: str) -> str:
    return f"https://{HOST}:{PORT}/{unique}"


def story(unique: str = "job", owner: str = JANE, at: float = START_TIME,
          length: int = len(STORY)) -> list[Event]:
    """The first events of a job that goes well, ten seconds apart."""
    code, events = START, []
    for index, (source, type, fields) in enumerate(STORY[:length]):
        code = code.advanced(source)
        events.append(
            event(type, url(unique), source, code, at + 10 * index, "host.example", owner, **fields))
    return events


class Book:
    """One daemon, its database and its clock."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.advance(START_TIME + 1000)
        self.database = Database("sqlite://", None, inline=True)
        metadata.create_all(self.database.engine)
        self.kit = Kit(Settings(), self.database, self.clock, random.Random(1), {}, Logger(), "lb.example",
                       (HOST, PORT), b"secret")
        self.daemon: Daemon = make(self.kit)

    def ingest(self, events: Iterable[Event]) -> Ingested:
        return settled(self.database.transact(store.ingest, list(events), self.clock.seconds()))

    def follow(self, events: Iterable[Event]) -> Ingested:
        """As the daemon stores them, with what follows from them, but nobody reads the queue."""
        return settled(self.database.transact(keep, list(events), self.clock.seconds(), followers(self.kit)))

    def log(self, events: Sequence[Event]) -> None:
        """As another daemon does it, through the queue."""
        settled(self.database.transact(eventlog.log, events, now=self.clock.seconds()))

    def put_raw(self, body: Any) -> None:
        """A message of any content on the topic."""
        settled(self.database.transact(queue.put, "lb", body, now=self.clock.seconds()))

    def ask(self, name: str, *, dn: str | None = JANE, body: Any = None, accept: str = "",
            query: dict[str, str] | None = None, **params: str) -> Deferred[Any]:
        """The call of a remote operation by somebody (None: without a certificate)."""
        who = None if dn is None else Identity(dn, not_after=START_TIME * 2)
        operation = OPERATIONS[name]
        call = Call(operation, params, query or {}, who, (), None, body, "", BytesIO(), 0, "", accept, "",
                    urlencode(query or {}))
        return Deferred.fromCoroutine(self.daemon.operations[name](call))  # type: ignore[arg-type]

    @contextmanager
    def running(self) -> Iterator[None]:
        """The daemon at work, until the end of the block."""
        settled(Deferred.fromCoroutine(self.daemon.start()))
        yield
        settled(Deferred.fromCoroutine(self.daemon.stop()))

    def refusals(self) -> list[tuple[bytes, str]]:
        return [(row["body"], row["reason"]) for row in self.rows(sa.select(store.refused))]

    def answer(self, name: str, **more: Any) -> Any:
        return settled(self.ask(name, **more))

    def rows(self, statement: sa.Select[Any]) -> list[dict[str, Any]]:
        with self.database.engine.connect() as conn:
            return [dict(row) for row in conn.execute(statement).mappings()]

    def contents(self) -> list[dict[str, Any]]:
        """What is known of jobs, without the traces of arrival: the keys of rows."""
        left_out = {"id"}
        found = self.rows(sa.select(store.jobs).order_by(store.jobs.c.job))
        return [{name: value for name, value in row.items() if name not in left_out} for row in found]

    def event_rows(self) -> set[tuple[Any, ...]]:
        """The stored events, without their numbers of arrival."""
        joined = sa.select(store.jobs.c.job.label("unique"), store.events).join(
            store.events, store.events.c.job == store.jobs.c.id)
        return {(row["unique"], row["seqcode"], row["timestamp"], row["type"], row["body"])
                for row in self.rows(joined)}


def settled(deferred: Deferred[Any]) -> Any:
    """The result of something that is over; its failure is raised."""
    results: list[Any] = []
    failures: list[Any] = []
    deferred.addCallbacks(results.append, failures.append)
    if failures:
        failures[0].raiseException()
    assert results, "it still waits"
    return results[0]
