"""The operations of perusal: files of a job that are looked at while they grow."""

from __future__ import annotations

from wms.operations.jobs import Empty
from wms.operations.row import Operation, Record, ns
from wms.operations.sessions import Position


class PerusalFiles(Record, frozen=True):
    """The files to look at; none switches perusal off."""

    files: tuple[str, ...] = ()


class Seen(Record, frozen=True):
    """What is kept of a file: `runs` are [start, end) in bytes, in order; between them bytes were left out."""

    name: str
    runs: tuple[tuple[int, int], ...]


class Perusal(Record, frozen=True):
    """`files` are looked at; `seen` is what arrived of the latest `attempt` (0: nothing yet)."""

    files: tuple[str, ...]
    attempt: int = 0
    seen: tuple[Seen, ...] = ()


ROWS: tuple[Operation, ...] = (
    ns("perusal_set", "PUT", "/jobs/{unique}/perusal", "owner",
        "Look at these files while the job runs; at none: no more.", request=PerusalFiles, reply=Empty,
        action="modify"),
    ns("perusal", "GET", "/jobs/{unique}/perusal", "owner", "Which files are looked at and what is here of them.",
        reply=Perusal),
    ns("perusal_piece", "GET", "/jobs/{unique}/perusal/{number}/{name}/{offset}", "owner",
        "Bytes of a file of an attempt from there on, up to the end of the run or 1 MiB.", stream="down",
        action="fetch"),
    ns("attempt_perusal", "GET", "/attempts/{unique}/{attempt}/perusal", "attempt",
        "The files to look at, for the wrapper, one a line: how many bytes are here, the name as part of a URL, "
        "the name.", stream="down"),
    ns("attempt_perusal_piece", "PUT", "/attempts/{unique}/{attempt}/perusal/{name}/{offset}", "attempt",
        "New bytes of a file, and their place; the answer says how much is here.", reply=Position, stream="up"),
)
