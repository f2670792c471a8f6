"""Registrations of jobs at the bookkeeping, as events; identifiers for new ones."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from clients.bookkeeping import Bookkeeping, first_code
from clients.errors import ArgumentWrong
from clients.options import read_jdl
from clients.session import Session
from wms.event import Event, Source, event
from wms.jobid import JobId

EXCLUSIVE = 64
TOGETHER = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to register; `jobtype` as in the table of event types."""

    jobtype: str
    source: Source
    children: int = 0
    seed: str = ""
    jdl: str = ""
    parent: str = ""
    owner: str = ""
    exclusive: bool = False


def source(name: str) -> Source:
    """A source by its name, in any case; ArgumentWrong names all of them."""
    known = {one.value.lower(): one for one in Source}
    if name.lower() not in known:
        raise ArgumentWrong(f"There is no source {name!r}.", hint="One of " + ", ".join(one.value for one in Source))
    return known[name.lower()]


def job_id(book: Bookkeeping, given: str) -> JobId:
    """The identifier the user gives, or a new one of the server."""
    if given:
        return JobId.parse(given)
    server = book.server()
    return JobId.make(server.host, server.port, os.urandom(16))


def read(file: str) -> str:
    """The text of a description, if there is one."""
    return read_jdl(file)[0] if file else ""


def registration(id: JobId, wanted: Wanted) -> Event:
    """The event; the user is stamped by the server unless it lets others be named."""
    given: dict[str, Any] = {
        "jdl": wanted.jdl, "parent": wanted.parent, "seed": wanted.seed, "nsubjobs": wanted.children}
    return event("RegJob", str(id), wanted.source, first_code(wanted.source), time.time(), socket.getfqdn(),
                 wanted.owner, priority=EXCLUSIVE if wanted.exclusive else 0, jobtype=wanted.jobtype, ns="NS",
                 **{name: value for name, value in given.items() if value})


def register(book: Bookkeeping, id: JobId, wanted: Wanted) -> Event:
    """Register a job; when this returns it is on the server's disk."""
    told = registration(id, wanted)
    book.log(id, [told])
    return told


def register_children(book: Bookkeeping, id: JobId, number: int, seed: str, parent: Event) -> None:
    """Register every child itself, as the parent was."""
    def events() -> Iterator[Event]:
        for index in range(number):
            yield registration(id.subjob(seed or None, index),
                               Wanted("SIMPLE", Source(parent.source), parent=str(id), owner=parent.user))

    left = events()
    while portion := list(islice(left, TOGETHER)):
        book.log(id, portion)


def tell(session: Session, id: JobId, seqcode: str, children: int, seed: str, **more: str) -> int:
    """Name the children, and give the document of --json; the exit status of a command."""
    below = (str(id.subjob(seed or None, index)) for index in range(children))
    if session.common.json:
        session.answer({"result": "success", "jobid": str(id), "seqcode": seqcode, **more, "children": list(below)})
        return 0
    left = enumerate(below)
    while portion := list(islice(left, TOGETHER)):
        session.say("\n".join(f'EDG_WL_SUB_JOBID[{index}]="{one}"' for index, one in portion))
    return 0
