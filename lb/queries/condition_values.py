"""What the values of conditions are: read from text once, then compared by a key of their kind.

Not which attribute has which kind (lb.queries.conditions), nor how conditions are written (lb.queries.condition_texts).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple

from wms.errors import BadEvent, BadJobId, JdlError, Refused
from wms.event import END_OF_TIME, LEVELS, Source, event_type
from wms.identity import canonical_dn
from wms.jdl.ast import Ad, Special
from wms.jdl.evaluate import evaluate
from wms.jdl.parser import parse
from wms.jdl.textual import text_of
from wms.jobid import JobId
from wms.jobstatus import DoneCode, JobState, JobType

Value = str | int | float | bool
MAX_VALUE = 4096
REMEMBERED_CHARS = 20_000
VM_STATES = ("PENDING", "BOOT", "RUNNING", "REALLY-RUNNING", "SHUTDOWN", "STOPPED", "DONE", "FAILURE")
_NUMBER = re.compile(r"-?[0-9]{1,19}", re.ASCII)
_TIME = re.compile(r"(last|past)?([0-9]{1,12}(?:\.[0-9]{1,9})?)", re.IGNORECASE | re.ASCII)
_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
_NOBODY = frozenset({"", "null"})
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


class Asked(NamedTuple):
    """By whom and when: `caller` is a DN, what an owner not given means; `now` is epoch seconds."""

    caller: str
    now: float


def plain(value: object) -> str:
    """A value of JSON as the text it would be written as; raises Refused for what is none."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int | float):
        text = "" if value is None else str(value.value if isinstance(value, Enum) else value)
        if len(text) > MAX_VALUE or _NOT_TEXT.search(text):
            raise Refused(f"a value is longer than {MAX_VALUE} characters or no text")
        return text
    raise Refused("a value is a text, a number or true or false")


def _text(text: str, _asked: Asked) -> str:
    return text


def _job(text: str, _asked: Asked) -> str:
    try:
        return str(JobId.parse(text))
    except BadJobId as error:
        raise Refused(error.message) from error


def _dn(text: str, asked: Asked) -> str:
    return asked.caller if text.strip().lower() in _NOBODY else text


def _int(text: str, _asked: Asked) -> int:
    found = _NUMBER.fullmatch(text.strip())
    if found is None or not -(1 << 63) <= int(text) < 1 << 63:
        raise Refused(f"'{text[:50]}' is not a whole number")
    return int(text)


def _time(text: str, asked: Asked) -> float:
    found = _TIME.fullmatch(text.strip())
    seconds = _date(text) if found is None else float(found[2])
    if found is not None and found[1]:
        seconds = max(0.0, asked.now - seconds)
    if not 0 <= seconds < END_OF_TIME:
        raise Refused(f"'{text[:50]}' is no time between 1970 and the year 10000")
    return seconds


def _date(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Refused(f"'{text[:50]}' is not a time",
                      hint="Epoch seconds, lastN for N seconds ago, or 2026-01-31T12:00:00Z.") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _bool(text: str, _asked: Asked) -> bool:
    found = _TRUTH.get(text.strip().lower())
    if found is None:
        raise Refused(f"'{text[:50]}' is neither true nor false")
    return found


def _chosen(what: str, names: Mapping[str, Value]) -> Callable[[str, Asked], Value]:
    """One of these names, or the code that stands for it."""
    known = {name.lower(): value for name, value in names.items()}

    def read(text: str, _asked: Asked) -> Value:
        found = known.get(text.strip().lower())
        if found is None:
            raise Refused(f"there is no {what} '{text[:50]}'", hint=f"One of {', '.join(map(str, names))}.")
        return found

    return read


def _event_type(text: str, _asked: Asked) -> str:
    try:
        return event_type(text.strip()).name
    except BadEvent as error:
        raise Refused(error.message) from error


def _done(text: str, asked: Asked) -> int:
    code = DoneCode.__members__.get(text.strip().upper())
    return _int(text, asked) if code is None else code.value


read_state = _chosen("state", {state.value: state.value for state in JobState})
READERS: Mapping[str, Callable[[str, Asked], Value]] = {
    "text": _text, "job": _job, "dn": _dn, "int": _int, "time": _time, "bool": _bool, "done": _done,
    "state": read_state,
    "jobtype": _chosen("job type", {kind.value: kind.value for kind in JobType if kind}),
    "vmstate": _chosen("state of a virtual machine", {name: name for name in VM_STATES}),
    "level": _chosen("level", {name: name for name in LEVELS}),
    "source": _chosen("source", {source.value: source.value for source in Source}),
    "eventtype": _event_type,
}
_LEVEL_ORDER = {level: number for number, level in enumerate(LEVELS)}
_canonical = lru_cache(maxsize=1000)(canonical_dn)
KEYS: Mapping[str, Callable[[Any], Any]] = {
    "dn": _canonical, "state": lambda name: JobState(name).code, "level": _LEVEL_ORDER.__getitem__}
"""How values of a kind are compared; a kind that is not here is compared as it is."""


def jdl_value(text: str, name: str) -> str | None:
    """The value of an attribute of a job description, as text; None if it has none.

    `name` is in lower case. Short descriptions are remembered: one is asked about again and again.
    """
    if name not in text.lower():
        return None
    ad = _remembered(text) if len(text) <= REMEMBERED_CHARS else _ad(text)
    node = None if ad is None else ad.get(name)
    value = None if node is None else evaluate(node, ad)
    found = None if value is None else text_of(value)
    return None if isinstance(found, Special) else found


def _ad(text: str) -> Ad | None:
    try:
        return parse(text)
    except JdlError:
        return None


_remembered = lru_cache(maxsize=500)(_ad)
