"""Events as lines of ULM text, `KEY="value" ...`: the form of dumps and of old clients.

A codec only: what a line must contain is the table of event types.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from wms.errors import BadEvent
from wms.event import MAX_FIELDS, Event, event_type, microseconds, validate

PROGRAM = "edg-wms"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PAIR = re.compile(r'[ \t]*([A-Za-z0-9_.]+)=(?:"([^"\\\n]*(?:\\.[^"\\\n]*)*)"|([^\s"]*))(?=[ \t]|$)')
_DATE = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,6}))?", re.ASCII)
_ESCAPE = re.compile(r'["\\\n]')
_ESCAPED = re.compile(r"\\(.)")
_NAMED = {"\n": "\\n", '"': '\\"', "\\": "\\\\"}


def to_ulm(event: Event) -> str:
    """One line, ended by a newline; fields without a value are left out."""
    return " ".join(_pairs(event)) + "\n"


def from_ulm(line: str) -> Event:
    """Reads one line; keys in any case and order, unknown keys are dropped. Raises BadEvent."""
    values = _values(line.removesuffix("\n"))
    found = event_type(_required(values, "DG.EVNT"))
    keys = {field.name: f"DG.{found.name.upper()}.{field.name.upper()}" for field in found.fields}
    return validate(Event(
        found.name, job=_required(values, "DG.JOBID"), source=_required(values, "DG.SOURCE"),
        seqcode=_required(values, "DG.SEQCODE"), timestamp=_seconds(_required(values, "DATE")),
        host=_required(values, "HOST"), user=values.get("DG.USER", ""), level=values.get("LVL", "SYSTEM"),
        priority=_number(values.get("DG.PRIORITY", "0")), instance=values.get("DG.SRC_INSTANCE", ""),
        fields={name: values[key] for name, key in keys.items() if key in values},
        arrived=_seconds(values["DG.ARRIVED"]) if "DG.ARRIVED" in values else 0.0))


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
    at = 0
    while at < len(line.rstrip(" \t")):
        found = _PAIR.match(line, at)
        if found is None:
            raise BadEvent("broken ULM", position=at)
        key = found[1].upper()
        if key in values:
            raise BadEvent(f"duplicate key {key}", field=key)
        values[key] = found[3] if found[2] is None else _ESCAPED.sub(_unescape, found[2])
        at = found.end()
    if len(values) > MAX_FIELDS:
        raise BadEvent(f"{len(values)} fields, at most {MAX_FIELDS} are taken", field="fields")
    return values


def _unescape(found: re.Match[str]) -> str:
    return "\n" if found[1] == "n" else found[1]


def _quoted(value: str) -> str:
    return '"' + _ESCAPE.sub(lambda found: _NAMED[found[0]], value) + '"'


def _required(values: dict[str, str], key: str) -> str:
    if not values.get(key):
        raise BadEvent(f"message without {key}", field=key)
    return values[key]


def _number(text: str) -> int:
    if not re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        raise BadEvent("DG.PRIORITY is not a whole number", field="DG.PRIORITY")
    return int(text)


def _date(seconds: float) -> str:
    whole, rest = divmod(microseconds(seconds), 1_000_000)
    return f"{_EPOCH + timedelta(seconds=whole):%Y%m%d%H%M%S}.{rest:06d}"


def _seconds(text: str) -> float:
    found = _DATE.fullmatch(text)
    try:
        if found is None:
            raise ValueError(text)
        year, month, day, hour, minute, second = map(int, found.groups()[:6])
        at = datetime(year, month, day, hour, minute, second, int((found[7] or "").ljust(6, "0")), UTC)
    except ValueError as error:
        raise BadEvent(f"not a date: {text[:50]!r}", hint="YYYYMMDDhhmmss.uuuuuu", field="DATE") from error
    return (at - _EPOCH) // timedelta(microseconds=1) / 1e6
