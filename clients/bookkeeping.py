"""What the lb-* commands share: which LB server to ask, the variables of the field, events on their way there."""

from __future__ import annotations

import hashlib
import io
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec

from clients.api import Client, Status
from clients.session import Session
from clients.settings import LB_PORT, Place, place
from clients.transport import Connection
from wms.errors import ConfigError, RemoteError, TooManyResults, WmsError
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.operations import OPERATIONS
from wms.operations.bookkeeping import EventQuery, Given, JobList, JobQuery
from wms.operations.logging import Logged
from wms.seqcode import START, SequenceCode
from wms.ulm import to_ulm

PREFIXES = ("GLITE_WMS_", "GLITE_LB_", "EDG_WL_")
LONGEST_S = 1800.0
AGAIN_S = (0.2, 0.5, 1.0, 2.0, 4.0)
_CHILDREN = frozenset({"children", "childstat"})


def variable(environment: Mapping[str, str], name: str) -> str:
    """The value of a variable of the field under its newest name that is set, or nothing."""
    return next((value for prefix in PREFIXES if (value := environment.get(prefix + name))), "")


def seconds(environment: Mapping[str, str], name: str, default: float) -> float:
    """A time limit from the environment, at most half an hour; ConfigError when it is no number."""
    text = variable(environment, name)
    if not text:
        return default
    if re.fullmatch(r"\d{1,9}(\.\d+)?", text, re.ASCII) is None:
        raise ConfigError(f"{name} must be a number of seconds, not {text!r}.", variable=name)
    return min(float(text), LONGEST_S)


def limit(name: str, given: int | None = None) -> int:
    """The most that the user wants: as given, else QUERY_JOBS_LIMIT or QUERY_EVENTS_LIMIT; 0 is no limit."""
    if given is not None:
        return given
    text = variable(os.environ, name) or "0"
    if re.fullmatch(r"\d{1,9}", text, re.ASCII) is None:
        raise ConfigError(f"{name} must be a number, not {text!r}.", variable=name)
    return int(text)


class Answer(NamedTuple):
    """Records that were found; is there more than was wanted?"""

    found: list[dict[str, Any]]
    more: bool

    def warn(self, session: Session) -> None:
        """Say that these are not all."""
        if self.more:
            session.warn(f"There are more than these {len(self.found)}: that was the limit.", code=TooManyResults.code)


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """A conversation with LB servers; `given` is the one that the user names."""

    client: Client
    given: str = ""

    @classmethod
    def of(cls, session: Session, given: str = "", variable: str = "QUERY_TIMEOUT") -> Bookkeeping:
        """For a command, with the time limit of that variable."""
        client = session.client()
        limit = seconds(os.environ, variable, client.settings.request_s)
        client.settings = replace(client.settings, request_s=limit)
        return cls(client, given)

    def server(self) -> Connection:
        """The server to ask where no identifier names one."""
        named = self.given or variable(os.environ, "QUERY_SERVER")
        at = place(named, LB_PORT) if named else self.client.settings.bookkeepers()[0]
        return self.client.at(at, chosen=True)

    def keeper(self, id: JobId) -> Connection:
        """The server of a job, unless the user or QUERY_SERVER_OVERRIDE=yes wants another."""
        override = variable(os.environ, "QUERY_SERVER_OVERRIDE").lower() == "yes"
        if self.given or (override and variable(os.environ, "QUERY_SERVER")):
            return self.server()
        return self.client.at(Place(id.host, id.port))

    def statuses(self, jobs: Iterable[str], flags: Sequence[str] = ()) -> dict[str, Status | WmsError]:
        """Status of each job, or why there is none; with all its fields and what `flags` add."""
        found: dict[str, Status | WmsError] = {}
        for job in dict.fromkeys(jobs):
            try:
                id = JobId.parse(job)
                found[str(id)] = self._status(id, flags)
            except WmsError as error:
                found[job] = error
        return found

    def _status(self, id: JobId, flags: Sequence[str]) -> Status:
        """One status; children that are too many for one answer are asked for page by page."""
        server, rest = self.keeper(id), [flag for flag in flags if flag not in _CHILDREN]
        try:
            found: Status = server.call(OPERATIONS["lb.status"], query={"flags": " ".join(flags)}, unique=id.unique)
        except RemoteError as error:
            if error.code != TooManyResults.code or rest == flags:
                raise
            found = server.call(OPERATIONS["lb.status"], query={"flags": " ".join(rest)}, unique=id.unique)
            states = list(self._children(server, id))
            found |= {"children": [child["jobId"] for child in states], "children_states": states}
        return found

    def _children(self, server: Connection, id: JobId) -> Iterator[Status]:
        query = {"flags": "childstat"}
        while True:
            page = server.call(OPERATIONS["lb.children"], query=query, unique=id.unique)
            yield from page.jobs
            if not page.cursor:
                return
            query["cursor"] = page.cursor

    def user_jobs(self, owner: str, limit: int) -> Answer:
        """Jobs of `owner` (a DN; empty: the caller), as many as there are (0), or so many."""
        return self.ask("lb.query_jobs", JobQuery(conditions=((Given("owner", "=", owner or None),),), limit=limit))

    def all_statuses(self, flags: Sequence[str]) -> dict[str, Status | WmsError]:
        """The caller's jobs with all their fields and what `flags` add."""
        asked = JobQuery(conditions=((Given("owner"),),), flags=tuple(flags))
        return {record["jobId"]: record for record in self.ask("lb.query_jobs", asked).found}

    def ask(self, operation: str, asked: JobQuery | EventQuery) -> Answer:
        """The jobs or the events of a query, page by page, up to its limit."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.server().call(OPERATIONS[operation], asked)
            found += page.jobs if isinstance(page, JobList) else page.events
            left = asked.limit - len(page.jobs if isinstance(page, JobList) else page.events)
            if not page.cursor or (asked.limit and left <= 0):
                return Answer(found, bool(page.cursor))
            asked = msgspec.structs.replace(asked, cursor=page.cursor, limit=max(left, 0))

    def events(self, job: str) -> list[Event]:
        """The events of a job in their order."""
        id = JobId.parse(job)
        reply = self.keeper(id).call(OPERATIONS["lb.events"], unique=id.unique)
        return msgspec.convert(reply.events, list[Event])

    def tell(self, job: str, type: str, source: Source, **fields: Any) -> Event:
        """Log an event about a job, with the code that comes next."""
        id = JobId.parse(job)
        code = SequenceCode.parse(self.next_code(id, source))
        told: Event = event(type, str(id), source, code, time.time(), socket.getfqdn(), **fields)
        self.log(id, [told])
        return told

    def next_code(self, id: JobId, source: Source) -> str:
        """The code from which somebody who was given none goes on, for an event of this source."""
        reply = self.keeper(id).call(OPERATIONS["lb.sequence_code"], query={"source": source.value}, unique=id.unique)
        return str(reply.next)

    def log(self, id: JobId, events: Sequence[Event]) -> Logged:
        """Have events stored; raises the error of the first that is refused. What the server may take a little later,
        as a child that is still being made, is sent again for a while; what is there already does no harm.
        """
        body = "".join(map(to_ulm, events)).encode()
        digest = hashlib.sha256(body).hexdigest()
        for pause in (*AGAIN_S, None):
            reply: Logged = self.keeper(id).upload(OPERATIONS["lb.log"], io.BytesIO(body), len(body), digest)
            if pause is None or not reply.refused or any(refused.permanent for refused in reply.refused):
                break
            time.sleep(pause)
        for refused in reply.refused:
            raise RemoteError({"code": refused.code, "message": refused.reason}, 400)
        return reply


def first_code(source: Source) -> SequenceCode:
    """The code of the first event of a job."""
    return START.advanced(source)
