"""Logs of events, one a line: ULM, with or without a stamp of arrival in front, or JSON objects.

A reader that loses nothing and stops at nothing: what is no event is a Problem. Not files, not what events mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from wms.errors import BadEvent
from wms.event import Event, validate
from wms.ulm import Outcome, parse, seconds, to_ulm

MAX_LINE = 1 << 24
"""Bytes of a line; a longer one is a problem."""
_EPOCH = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)
_STAMPED = re.compile(r"(\d{1,14}(?:\.\d{1,6})?)[ \t]+(?=[A-Za-z])", re.ASCII)
_decode_event = msgspec.json.Decoder(Event).decode


class Entry(NamedTuple):
    """An event of a log: the number of its line, from 1; how many keys of the line nobody knows."""

    number: int
    event: Event
    extra: int


class Problem(NamedTuple):
    """A line that is no event: its number, what it holds, why, and the code of the reason (an Outcome)."""

    number: int
    line: bytes
    reason: str
    lb_code: int


def entries(lines: Iterable[bytes], first: int = 1) -> Iterator[Entry | Problem]:
    """What the lines of a log say, the first having the number `first`; blank lines and those after # say nothing."""
    for number, line in enumerate(lines, first):
        found = read(number, line)
        if found is not None:
            yield found


def read(number: int, line: bytes) -> Entry | Problem | None:
    """One line, with or without its end; None for a line that says nothing."""
    stripped = line.strip()
    if not stripped or stripped.startswith(b"#"):
        return None
    try:
        return _json(number, stripped) if stripped.startswith(b"{") else _ulm(number, line)
    except BadEvent as error:
        return Problem(number, line, error.message, error.details.get("lb_code", int(Outcome.MISUSE)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Problem(number, line, str(error), int(Outcome.BROKEN))


def written(event: Event) -> bytes:
    """The line of an event."""
    return to_ulm(event).encode()


def moment(stamp: str) -> float:
    """Epoch seconds of a date as in the keys of ULM, or of a number of seconds. Raises BadEvent."""
    return float(stamp) if _EPOCH.fullmatch(stamp) else seconds(stamp)


def _json(number: int, line: bytes) -> Entry:
    return Entry(number, validate(_decode_event(line)), 0)


def _ulm(number: int, line: bytes) -> Entry:
    if len(line) > MAX_LINE:
        raise BadEvent(f"a line of more than {MAX_LINE} bytes", lb_code=int(Outcome.BROKEN))
    text = line.decode()
    stamp = _STAMPED.match(text)
    event, extra = parse(text[stamp.end():] if stamp else text)
    if stamp:
        event = validate(msgspec.structs.replace(event, arrived=moment(stamp[1])))
    return Entry(number, event, len(extra))
