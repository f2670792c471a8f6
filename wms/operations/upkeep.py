"""Upkeep of Logging & Bookkeeping: purge, dump, load."""

from __future__ import annotations

from typing import Any

from wms.operations.row import Operation, Record, lb


class Dump(Record, frozen=True):
    """Events that arrived from `since` until before `until`: YYYYMMDDhhmmss of UTC, epoch seconds, NOW, LAST_START,
    LAST_END. Without `since`, since the last dump.
    """

    since: str = ""
    until: str = "NOW"


class Dumped(Record, frozen=True):
    """The file, its events, and the interval, epoch seconds."""

    name: str
    events: int
    bytes: int
    begin: float
    end: float


class DumpFile(Record, frozen=True):
    """A file in the directory of dumps; `written` in epoch seconds."""

    name: str
    bytes: int
    written: float


class DumpList(Record, frozen=True):
    dumps: tuple[DumpFile, ...]


class Rejected(Record, frozen=True):
    """A line of a load that was not taken; `lb_code` says how it cannot be read (1401 ...), 0 if it can."""

    line: int
    reason: str
    lb_code: int = 0


class Loaded(Record, frozen=True):
    """Events that were read, stored now, and stored before; the first lines that were not taken, and the file in the
    directory of dumps that has all of them. `extra` counts keys that nobody knows.
    """

    events: int
    stored: int
    duplicates: int
    rejected: int
    problems: tuple[Rejected, ...] = ()
    file: str = ""
    extra: int = 0


class Purge(Record, frozen=True):
    """Which jobs to forget: these, or all whose last event is older than the age of their state, in seconds (-1: the
    server's own, -2: never). Nothing happens without `really`. `names` asks for their identifiers, `dump` keeps their
    events in a file, `background` does not wait for the end, `target_s` spreads the work over so many seconds.
    """

    jobs: tuple[str, ...] = ()
    cleared_s: float = -1.0
    aborted_s: float = -1.0
    cancelled_s: float = -1.0
    done_s: float = -1.0
    other_s: float = -1.0
    really: bool = False
    names: bool = False
    dump: bool = True
    background: bool = False
    target_s: float = 0.0


class Purged(Record, frozen=True):
    """A purge: `state` is `none`, `dry run`, `running`, `done` or `failed`; times are epoch seconds. `names` are the
    first of the identifiers, `problems` those that cannot be purged, `kept` the jobs that got news in between.
    """

    state: str
    jobs: int = 0
    events: int = 0
    kept: int = 0
    file: str = ""
    began: float = 0.0
    ended: float = 0.0
    names: tuple[str, ...] = ()
    problems: dict[str, dict[str, Any]] = {}


ROWS: tuple[Operation, ...] = (
    lb("dump", "POST", "/lb/v1/dumps", "admin", "Write the events of an interval to a file of the server.",
        request=Dump, reply=Dumped),
    lb("dumps", "GET", "/lb/v1/dumps", "admin", "The files of dumps and purges.", reply=DumpList),
    lb("dump_file", "GET", "/lb/v1/dumps/{file}", "admin", "One of these files: a line of ULM for each event.",
        stream="down"),
    lb("load", "PUT", "/lb/v1/load", "admin",
        "Take the events of a log, ULM or JSON lines; with `file`, those of a file of the server.",
        reply=Loaded, stream="up", query=("file",)),
    lb("purge", "POST", "/lb/v1/purge", "user",
        "Forget old jobs; 202 and how far it is if it goes on behind.", request=Purge, reply=Purged,
        action="purge"),
    lb("purge_progress", "GET", "/lb/v1/purge", "user", "How far the last purge is.", reply=Purged),
)
