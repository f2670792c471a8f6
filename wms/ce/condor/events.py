"""The job event log of HTCondor, text format of versions 8 to 25: bytes in, typed events out. Pure.

Not here: following a file (logtail), nor what an event says of a job's state (states).
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Callable, Sequence
from enum import IntEnum
from typing import Any

import msgspec

__all__ = ["LONGEST", "Event", "Kind", "Reader", "read"]

LONGEST = 65536
"""Bytes of one record; what is longer is passed over up to its end."""


class Kind(IntEnum):
    """Numbers of events (HTCondor manual, "Job Event Log Codes"). Others are passed over."""

    SUBMIT = 0
    EXECUTE = 1
    EXECUTABLE_ERROR = 2
    CHECKPOINTED = 3
    EVICTED = 4
    TERMINATED = 5
    IMAGE_SIZE = 6
    SHADOW_EXCEPTION = 7
    GENERIC = 8
    ABORTED = 9
    SUSPENDED = 10
    UNSUSPENDED = 11
    HELD = 12
    RELEASED = 13
    NODE_EXECUTE = 14
    NODE_TERMINATED = 15
    POST_SCRIPT_TERMINATED = 16
    REMOTE_ERROR = 21
    DISCONNECTED = 22
    RECONNECTED = 23
    RECONNECT_FAILED = 24
    GRID_RESOURCE_UP = 25
    GRID_RESOURCE_DOWN = 26
    GRID_SUBMIT = 27
    JOB_AD_INFORMATION = 28
    STATUS_UNKNOWN = 29
    STATUS_KNOWN = 30
    STAGE_IN = 31
    STAGE_OUT = 32
    ATTRIBUTE_UPDATE = 33
    PRESKIP = 34
    CLUSTER_SUBMIT = 35
    CLUSTER_REMOVE = 36
    FACTORY_PAUSED = 37
    FACTORY_RESUMED = 38
    FILE_TRANSFER = 40
    RESERVE_SPACE = 41
    RELEASE_SPACE = 42
    FILE_COMPLETE = 43
    FILE_USED = 44
    FILE_REMOVED = 45
    DATAFLOW_JOB_SKIPPED = 46
    COMMON_FILES = 47


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the job `cluster.proc`. `seconds` since 1970 by the clock of the writer, its zone taken for UTC.

    What its kind does not tell is empty: `node` (host or slot), `reason` in HTCondor's words with their `code` and
    `subcode`, `exit_code` or `signal`, `cpu_s` of the run, `rss_kb`, bytes `sent` and `received` by the job,
    `requeued` (it ended and is to be run again), `resource` (a grid resource, or a job id there).
    """

    kind: Kind
    cluster: int
    proc: int
    subproc: int = 0
    seconds: float = 0.0
    node: str = ""
    reason: str = ""
    code: int = 0
    subcode: int = 0
    exit_code: int | None = None
    signal: int | None = None
    cpu_s: float = 0.0
    rss_kb: int = 0
    sent: int = 0
    received: int = 0
    requeued: bool = False
    resource: str = ""


_HEADER = re.compile(
    rb"(?P<kind>\d{3}) \((?P<cluster>\d{1,10})\.(?P<proc>\d{1,10})\.(?P<sub>\d{1,10})\) "
    rb"(?:(?P<year>\d{4})-(?P<ym>\d\d)-(?P<yd>\d\d)[ T]|(?P<m>\d\d)/(?P<d>\d\d) )"
    rb"(?P<H>\d\d):(?P<M>\d\d):(?P<S>\d\d)(?P<part>\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?(?: (?P<head>.*))?"
)
_ENDED = re.compile(rb"^\t?\((?P<normal>[01])\) (?:Normal termination \(return value (?P<value>-?\d+)\)"
                    rb"|Abnormal termination \(signal (?P<signal>\d+)\))")
_USAGE = re.compile(rb"^\s*Usr (\d+) (\d+):(\d+):(\d+), Sys (\d+) (\d+):(\d+):(\d+)  -  Run Remote Usage")
_BYTES = re.compile(rb"^\s*(\d+)(?:\.\d+)?  -  Run Bytes (Sent|Received) By ")
_CODES = re.compile(rb"Code (-?\d+) Subcode (-?\d+)\s*$")
_RSS = re.compile(rb"^\s*(\d+)  -  ResidentSetSize of job")

_Lines = Sequence[bytes]
_Facts = dict[str, Any]


def _text(line: bytes) -> str:
    return line.strip().decode("utf-8", "replace")


def _after(lines: _Lines, prefix: bytes) -> str:
    """What follows the prefix on the first line that has it."""
    return next((_text(line.strip()[len(prefix):]) for line in lines if line.strip().startswith(prefix)), "")


def _codes(lines: _Lines) -> _Facts:
    found = next((match for line in lines if (match := _CODES.search(line))), None)
    return {"code": int(found[1]), "subcode": int(found[2])} if found else {}


def _usage(lines: _Lines) -> _Facts:
    facts: _Facts = {}
    for line in lines:
        if match := _USAGE.match(line):
            days, hours, minutes, seconds, *system = map(int, match.groups())
            facts["cpu_s"] = float(_seconds(days, hours, minutes, seconds) + _seconds(*system))
        elif match := _BYTES.match(line):
            facts[match[2].decode().lower()] = int(match[1])
    return facts


def _seconds(days: int, hours: int, minutes: int, seconds: int) -> int:
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def _end(lines: _Lines) -> _Facts:
    found = next((match for line in lines if (match := _ENDED.match(line))), None)
    if found is None:
        return {}
    return {"exit_code": int(found["value"])} if found["value"] else {"signal": int(found["signal"] or 0)}


def _execute(lines: _Lines) -> _Facts:
    slot = _after(lines[1:], b"SlotName:").strip('"')
    return {"node": slot or _text(lines[0].partition(b"host:")[2])}


def _terminated(lines: _Lines) -> _Facts:
    return {**_end(lines), **_usage(lines)}


def _evicted(lines: _Lines) -> _Facts:
    requeued = any(b"Job terminated and was requeued" in line for line in lines)
    reason = _after(lines, b"Reason:")
    return {**_usage(lines), **_codes(lines[:1]), "requeued": requeued, "reason": reason,
            **(_end(lines) if requeued else {})}


def _held(lines: _Lines) -> _Facts:
    words = _text(lines[1]) if len(lines) > 1 else ""
    return {"reason": "" if words == "Reason unspecified" else words, **_codes(lines[2:])}


def _first_words(lines: _Lines) -> _Facts:
    return {"reason": _text(lines[1])} if len(lines) > 1 else {}


def _shadow(lines: _Lines) -> _Facts:
    return {**_first_words(lines), **_usage(lines)}


def _error(lines: _Lines) -> _Facts:
    words = [_text(line) for line in lines[1:] if not _CODES.search(line)]
    return {"reason": "; ".join(filter(None, words)), **_codes(lines[1:])}


def _disconnected(lines: _Lines) -> _Facts:
    return {**_first_words(lines), "node": _after(lines, b"Trying to reconnect to").partition(" ")[0]}


def _image_size(lines: _Lines) -> _Facts:
    found = next((match for line in lines if (match := _RSS.match(line))), None)
    return {"rss_kb": int(found[1])} if found else {}


def _resource(lines: _Lines) -> _Facts:
    return {"resource": _after(lines, b"GridJobId:") or _after(lines, b"GridResource:")}


_FACTS: dict[Kind, Callable[[_Lines], _Facts]] = {
    Kind.EXECUTE: _execute,
    Kind.EXECUTABLE_ERROR: lambda lines: {"reason": _text(lines[0])},
    Kind.EVICTED: _evicted,
    Kind.TERMINATED: _terminated,
    Kind.IMAGE_SIZE: _image_size,
    Kind.SHADOW_EXCEPTION: _shadow,
    Kind.ABORTED: _first_words,
    Kind.HELD: _held,
    Kind.RELEASED: _first_words,
    Kind.REMOTE_ERROR: _error,
    Kind.DISCONNECTED: _disconnected,
    Kind.RECONNECTED: lambda lines: {"node": _text(lines[0].partition(b" to ")[2])},
    Kind.RECONNECT_FAILED: _first_words,
    Kind.GRID_RESOURCE_UP: _resource,
    Kind.GRID_RESOURCE_DOWN: _resource,
    Kind.GRID_SUBMIT: _resource,
}
_KINDS = frozenset(Kind)


def read(lines: _Lines, year: int) -> Event | None:
    """The event of one record, without its last line `...`; None if there is none, or none that is known.

    A record whose writer died is continued by the next one: the last header counts. `year`: of dates without one.
    """
    start, header = next(((n, match) for n in range(len(lines) - 1, -1, -1) if (match := _HEADER.fullmatch(lines[n]))),
                         (0, None))
    if header is None or int(header["kind"]) not in _KINDS:
        return None
    seconds = _moment(header, year)
    if seconds is None:
        return None
    kind = Kind(int(header["kind"]))
    facts = _FACTS[kind]([header["head"] or b"", *lines[start + 1:]]) if kind in _FACTS else {}
    return Event(kind=kind, cluster=int(header["cluster"]), proc=int(header["proc"]), subproc=int(header["sub"]),
                 seconds=seconds, **facts)


def _moment(header: re.Match[bytes], year: int) -> float | None:
    """None for a date that no clock shows."""
    month, day = int(header["ym"] or header["m"]), int(header["yd"] or header["d"])
    hour, minute, second = int(header["H"]), int(header["M"]), int(header["S"])
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute < 60 and second <= 61):
        return None
    whole = timegm((max(1970, int(header["year"] or year)), month, day, hour, minute, second, 0, 0, 0))
    return whole + float(header["part"] or b"0")


class Reader:
    """Takes a log piece by piece, cut anywhere."""

    def __init__(self) -> None:
        self._rest = b""
        self._record: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes, year: int) -> list[Event]:
        """The events that are complete now."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        events = [event for line in lines if (event := self._line(line, year)) is not None]
        if len(self._rest) > LONGEST:  # one byte stands for it: no line so long ends a record
            self._size += len(self._rest)
            self._rest = b"~"
        return events

    def _line(self, line: bytes, year: int) -> Event | None:
        if line.rstrip(b"\r") != b"...":
            self._add(line)
            return None
        lines, fits = self._record, self._size <= LONGEST
        self._record, self._size = [], 0
        return read(lines, year) if fits else None

    def _add(self, line: bytes) -> None:
        self._size += len(line) + 1
        if self._size > LONGEST:
            self._record = []
        else:
            self._record.append(line.rstrip(b"\r"))
