"""Transfers of sandboxes as events: the transfer, its parts, and its connection with the job."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from clients.bookkeeping import Bookkeeping, first_code
from clients.registering import TOGETHER, Wanted, registration
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.seqcode import SequenceCode

PREFIX = "FT:"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is moved (`INPUT` or `OUTPUT`), from where to where, in how many parts (0: as a whole)."""

    sandbox: str
    origin: str
    target: str
    source: Source
    children: int = 0


class Codes(NamedTuple):
    """The sequence codes with which to go on."""

    transfer: str
    job: str


def register(book: Bookkeeping, job: JobId, wanted: Transfer, code: str = "") -> tuple[JobId, Codes]:
    """Register a transfer and connect it with its job, whose last sequence code is `code`."""
    fresh = JobId.make(job.host, job.port, os.urandom(16))
    id = JobId(job.host, job.port, PREFIX + fresh.unique)
    moved, connected = of_transfer(id, job, wanted), _code(book, job, wanted.source, code)
    book.log(id, moved)
    parts = of_parts(id, job, wanted)
    while portion := list(islice(parts, TOGETHER)):
        book.log(id, portion)
    told = _told("Sandbox", job, wanted.source, connected, sandbox_type=wanted.sandbox, transfer_job=str(id))
    book.log(job, [told])
    return id, Codes(_following(moved[-1].seqcode, wanted.source), _following(told.seqcode, wanted.source))


def of_transfer(id: JobId, job: JobId, wanted: Transfer) -> list[Event]:
    """Its registration, what it moves, and whose sandbox that is."""
    kind = "FILE_TRANSFER_COLLECTION" if wanted.children else "FILE_TRANSFER"
    begun = registration(id, Wanted(kind, wanted.source, wanted.children))
    code = first_code(wanted.source)
    second, third = code.advanced(wanted.source), code.advanced(wanted.source).advanced(wanted.source)
    return [begun, _told("FileTransferRegister", id, wanted.source, second, src=wanted.origin, dest=wanted.target),
            _told("Sandbox", id, wanted.source, third, sandbox_type=wanted.sandbox, compute_job=str(job))]


def of_parts(id: JobId, job: JobId, wanted: Transfer) -> Iterator[Event]:
    """That each part is of the same sandbox."""
    for index in range(wanted.children):
        yield _told("Sandbox", id.subjob(None, index), wanted.source, first_code(wanted.source),
                    sandbox_type=wanted.sandbox, compute_job=str(job))


def _code(book: Bookkeeping, job: JobId, source: Source, given: str) -> SequenceCode:
    """The code of the next event of the job."""
    return SequenceCode.parse(given).advanced(source) if given else SequenceCode.parse(book.next_code(job, source))


def _following(code: str, source: Source) -> str:
    return str(SequenceCode.parse(code).advanced(source))


def _told(type: str, id: JobId, source: Source, code: SequenceCode, **fields: Any) -> Event:
    told: Event = event(type, str(id), source, code, time.time(), socket.getfqdn(), **fields)
    return told
