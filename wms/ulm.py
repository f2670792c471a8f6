"""Events as lines of ULM text, `KEY="value" ...`: the form of dumps and of old clients.

A codec only: what a line must contain is the table of event types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

from wms.errors import BadEvent
from wms.event import EVENT_TYPES, MAX_FIELDS, Event, EventType, event_type, microseconds, validate

PROGRAM = "edg-wms"


class Outcome(IntEnum):
    """What may be wrong with a line, `lb_code` in the details of BadEvent; EXTRA_FIELDS is none of an error."""

    BROKEN = 1401
    UNDEFINED_EVENT = 1402
    INCOMPLETE = 1403
    DUPLICATE_KEY = 1404
    MISUSE = 1405
    EXTRA_FIELDS = 1406


class Parsed(NamedTuple):
    """An event and the keys of its line that nobody knows, in upper case."""

    event: Event
    extra: tuple[str, ...]


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAIR = re.compile(r'[ \t]*([A-Za-z0-9_.]+)=(?:"([^"\\\n]*(?:\\.[^"\\\n]*)*)"|([^\s"]*))(?=[ \t]|$)')
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_ESCAPE = re.compile(r'["\\\n]')
_ESCAPED = re.compile(r"\\(.)")
_NAMED = {"\n": "\\n", '"': '\\"', "\\": "\\\\"}
_NEEDED = ("DG.JOBID", "DG.SOURCE", "DG.SEQCODE", "DATE", "HOST")
_BASE = frozenset({*_NEEDED, "DG.EVNT", "PROG", "LVL", "DG.PRIORITY", "DG.SRC_INSTANCE", "DG.USER", "DG.ARRIVED",
                   "DG.LLLID", "DG.TYPE"})


def _keys(found: EventType) -> dict[str, str]:
    return {field.name: f"DG.{found.name.upper()}.{field.name.upper()}" for field in found.fields}


_FIELD_KEYS = {name: _keys(found) for name, found in EVENT_TYPES.items()}
_OWN_KEYS = {name: _BASE.union(keys.values()) for name, keys in _FIELD_KEYS.items()}
_ALL_KEYS = frozenset(key for keys in _FIELD_KEYS.values() for key in keys.values())


def to_ulm(event: Event) -> str:
    """One line, ended by a newline; fields without a value are left out."""
    return " ".join(_pairs(event)) + "\n"


def from_ulm(line: str) -> Event:
    """Reads one line; keys in any case and order, unknown keys are dropped. Raises BadEvent."""
    return parse(line).event


def parse(line: str) -> Parsed:
    """The same, with the keys that were dropped. The details of BadEvent have `lb_code`, an Outcome."""
    values = _values(line.removesuffix("\n").removesuffix("\r"))
    found = _type(values)
    for key in _NEEDED:
        _required(values, key)
    extra = () if _OWN_KEYS[found.name].issuperset(values) else tuple(values.keys() - _OWN_KEYS[found.name])
    for key in extra:
        if key in _ALL_KEYS:
            raise _bad(Outcome.MISUSE, f"{found.name} with {key}, which is of another event", key)
    return Parsed(_event(found, values), extra)


def seconds(text: str) -> float:
    """Epoch seconds of `YYYYMMDDhhmmss[.uuuuuu]`. Raises BadEvent."""
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        return (_moment(*found.groups()[:6]) * 1_000_000 + int((found[7] or "").ljust(6, "0"))) / 1e6
    except ValueError as error:
        raise BadEvent(f"not a date: {text[:50]!r}", hint="YYYYMMDDhhmmss.uuuuuu", field="DATE",
                       lb_code=int(Outcome.MISUSE)) from error


def _type(values: Mapping[str, str]) -> EventType:
    name = _required(values, "DG.EVNT")
    try:
        return event_type(name)
    except BadEvent as error:
        raise _bad(Outcome.UNDEFINED_EVENT, error.message, "DG.EVNT") from error


def _event(found: EventType, values: Mapping[str, str]) -> Event:
    keys = _FIELD_KEYS[found.name]
    for field in found.fields:
        if not field.optional:
            _required(values, keys[field.name])
    arrived = values.get("DG.ARRIVED", "")
    try:
        return validate(Event(
            found.name, job=values["DG.JOBID"], source=values["DG.SOURCE"], seqcode=values["DG.SEQCODE"],
            timestamp=seconds(values["DATE"]), host=values["HOST"], user=values.get("DG.USER", ""),
            level=values.get("LVL") or "SYSTEM", priority=_number(values.get("DG.PRIORITY") or "0"),
            instance=values.get("DG.SRC_INSTANCE", ""),
            fields={name: values[key] for name, key in keys.items() if key in values},
            arrived=seconds(arrived) if arrived else 0.0))
    except BadEvent as error:
        raise _bad(Outcome.MISUSE, error.message, error.details["field"]) from error


def _pairs(event: Event) -> Iterator[str]:
    yield f"DATE={_date(event.timestamp)}"
    yield f"HOST={_quoted(event.host)}"
    yield f"PROG={PROGRAM}"
    yield f"LVL={event.level}"
    yield f"DG.PRIORITY={event.priority}"
    yield f"DG.SOURCE={_quoted(event.source)}"
    if event.instance:
        yield f"DG.SRC_INSTANCE={_quoted(event.instance)}"
    yield f"DG.EVNT={_quoted(event.type)}"
    yield f"DG.JOBID={_quoted(event.job)}"
    yield f"DG.SEQCODE={_quoted(event.seqcode)}"
    if event.user:
        yield f"DG.USER={_quoted(event.user)}"
    for name, value in event.fields.items():
        yield f"DG.{event.type.upper()}.{name.upper()}={_quoted(str(value))}"
    if event.arrived:
        yield f"DG.ARRIVED={_date(event.arrived)}"


def _values(line: str) -> dict[str, str]:
    values: dict[str, str] = {}
    at, end = 0, len(line.rstrip(" \t"))
    match = _PAIR.match
    while at < end:
        found = match(line, at)
        if found is None:
            raise _bad(Outcome.BROKEN, f"broken ULM at character {at}", "", position=at)
        key, quoted, bare = found.groups()
        key = key.upper()
        if key in values:
            raise _bad(Outcome.DUPLICATE_KEY, f"duplicate key {key}", key)
        values[key] = bare if quoted is None else _ESCAPED.sub(_unescape, quoted) if "\\" in quoted else quoted
        at = found.end()
        if len(values) > MAX_FIELDS:
            raise _bad(Outcome.BROKEN, f"more than {MAX_FIELDS} fields", "fields")
    return values


def _unescape(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _quoted(value: str) -> str:
    return '"' + (_ESCAPE.sub(_escaped, value) if _ESCAPE.search(value) else value) + '"'


def _escaped(found: re.Match[str]) -> str:
    return _NAMED[found[0]]


def _required(values: Mapping[str, str], key: str) -> str:
    if not values.get(key):
        raise _bad(Outcome.INCOMPLETE, f"message without {key}", key)
    return values[key]


def _bad(outcome: Outcome, message: str, field: str, **more: Any) -> BadEvent:
    return BadEvent(message, field=field, lb_code=int(outcome), **more)


def _number(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
        raise BadEvent("DG.PRIORITY is not a whole number", field="DG.PRIORITY")
    return int(text)


def _date(seconds: float) -> str:
    whole, rest = divmod(microseconds(seconds), 1_000_000)
    return f"{_EPOCH + timedelta(seconds=whole):%Y%m%d%H%M%S}.{rest:06d}"


@lru_cache(maxsize=1024)
def _moment(*parts: str) -> int:
    """Whole epoch seconds; many lines tell of the same second."""
    year, month, day, hour, minute, second = map(int, parts)
    return (datetime(year, month, day, hour, minute, second, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
