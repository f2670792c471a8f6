"""What `lb-logevent` makes of its options and of the environment: the event, its sequence code, the spool.

The variables have the prefix GLITE_WMS_ or, older, EDG_WL_. Nothing is written here.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from clients.errors import ArgumentMissing, ArgumentWrong
from wms.event import EVENT_TYPES, Event, event, event_type
from wms.jobid import JobId, parse_server
from wms.seqcode import START, SequenceCode, Source

PREFIXES = ("GLITE_WMS_", "EDG_WL_")
STATE_DIR = "/var/lib/wms"
SYNC_S, MAX_SYNC_S = 120.0, 600.0
SYNC, PROXY = 2, 8
"""Delivery flags of an event."""


class Codes(NamedTuple):
    """The sequence code of the event, and the one to hand over to the next."""

    event: str
    next: str


def variable(environment: Mapping[str, str], name: str) -> str:
    """The value of GLITE_WMS_<name>, else of EDG_WL_<name>, else empty."""
    return next((environment[prefix + name] for prefix in PREFIXES if environment.get(prefix + name)), "")


def spool_directory(environment: Mapping[str, str], option: str = "") -> str:
    """Where events of this host are written: the option, our variables, those of the field, the default."""
    destination = variable(environment, "LOG_DESTINATION").removeprefix("file://")
    prefix = variable(environment, "LOG_FILE_PREFIX")
    state = environment.get("WMS_STATE_DIR") or STATE_DIR
    return (option or environment.get("WMS_INTERLOGGER_SPOOL", "") or (destination if destination[:1] == "/" else "")
            or (os.path.dirname(prefix) if prefix else "") or f"{state}/lb-spool")


def sync_timeout_s(environment: Mapping[str, str]) -> float:
    """How long a priority event waits for its confirmation."""
    text = variable(environment, "LOG_SYNC_TIMEOUT")
    if not text:
        return SYNC_S
    if re.fullmatch(r"\d{1,6}(\.\d*)?", text, re.ASCII) is None:
        raise ArgumentWrong(f"LOG_SYNC_TIMEOUT must be a number of seconds, not '{text}'.", value=text)
    return min(float(text), MAX_SYNC_S)


def job_of(option: str, machine: str, environment: Mapping[str, str], entropy: bytes) -> JobId:
    """The job that is meant; a new one of the server `machine` when only that is given."""
    named = option or ("" if machine else variable(environment, "JOBID"))
    if named:
        return JobId.parse(named)
    if not machine:
        raise ArgumentMissing("No job is named.", hint="Use --jobid, or GLITE_WMS_JOBID.")
    return JobId.make(*parse_server(machine), entropy)


def source_of(text: str) -> Source:
    """The source of that name, whatever its case."""
    for source in Source:
        if source.value.lower() == text.lower():
            return source
    near = difflib.get_close_matches(text, [source.value for source in Source], 1)
    raise ArgumentWrong(f"There is no source '{text}'.", value=text,
                        hint=f"Did you mean {near[0]}?" if near else f"One of {', '.join(Source)}.")


def type_of(text: str) -> str:
    """The event type of that name, whatever its case."""
    names = {name.lower(): name for name in EVENT_TYPES}
    if text.lower() not in names:
        near = difflib.get_close_matches(text.lower(), names, 1)
        raise ArgumentWrong(f"There is no event '{text}'.", value=text,
                            hint=f"Did you mean {names[near[0]]}?" if near else "See: -e help")
    return names[text.lower()]


def codes(code: str, source: Source, now: float, *, attach: bool = True) -> Codes:
    """From the code that was handed over: the own counter is advanced on attaching, and again after the event.

    Without a code the counter is the time (the mode "duplicate"), for whoever cannot know what was logged before.
    """
    if source.component is None:
        return Codes(code or str(START), code or str(START))
    if not code:
        found = START._replace(**{source.component: int(now)})
    else:
        given = SequenceCode.parse(code)
        found = given.advanced(source) if attach else given
    return Codes(str(found), str(found.advanced(source)))


def made(type: str, job: JobId, source: Source, code: str, now: float, host: str, user: str, fields: Mapping[str, str],
         *, level: str = "SYSTEM", priority: int = 0, instance: str = "") -> Event:
    """The event, checked; a field that this type has not is named, with the one that was probably meant."""
    known = [field.name for field in event_type(type).fields]
    for name in fields:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"Did you mean --{near[0]}?" if near else f"It has: {', '.join(known) or 'no fields'}."
            raise ArgumentWrong(f"{type} has no field {name}.", hint=hint, field=name)
    return event(type, job, source, code, now, host, user, level=level, priority=priority, instance=instance,
                 **{_argument(name): value for name, value in fields.items()})


def _argument(name: str) -> str:
    return name + "_" if name in ("from", "type", "level", "instance", "priority") else name


def filling(length: int) -> str:
    """A text of that many characters, to see what a long reason does: `0.......20......`, its length at the end."""
    marks = "".join(str(at).ljust(20, ".") for at in range(0, length, 20))[:length]
    end = f"end={length}"
    return marks[:-len(end)] + end if length > len(end) else marks
