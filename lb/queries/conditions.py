"""Conditions on jobs and events: an AND of OR-groups, each group about one attribute; the table of attributes.

Pure: who holds a record asks `matches`. Not how conditions are written (lb.queries.condition_texts), not SQL
(lb.queries.search).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import msgspec

from lb.queries.condition_values import KEYS, READERS, Asked, Value, jdl_value, plain, read_state
from wms.errors import Refused
from wms.event import Event
from wms.jobstatus import JobStatus

MAX_GROUPS = 50
MAX_CONDITIONS = 1000
MAX_NAME = 200


class Operator(StrEnum):
    EQUAL = "="
    UNEQUAL = "<>"
    LESS = "<"
    GREATER = ">"
    WITHIN = "within"
    CHANGED = "changed"


SPELLINGS: Mapping[str, Operator] = {
    **{operator.value: operator for operator in Operator}, "><": Operator.UNEQUAL, "!=": Operator.UNEQUAL,
    "==": Operator.EQUAL, "@": Operator.WITHIN, "->": Operator.CHANGED}


class Condition(msgspec.Struct, frozen=True, omit_defaults=True):
    """`value2` is the end of the closed interval of `within`; `name` that of the tag, state or JDL attribute.

    Times are epoch seconds; states, levels, types and sources are given by name.
    """

    attribute: str
    operator: Operator
    value: Value = ""
    value2: Value = ""
    name: str = ""


Group = tuple[Condition, ...]
Conditions = tuple[Group, ...]
JobTest = Callable[[JobStatus, JobStatus | None], bool]
EventTest = Callable[[Event], bool]


class Attribute(NamedTuple):
    """One row: `get` gives the value of a record (None: it has none) for the name that it `needs`.

    `indexed` attributes make a query cheap enough for everybody.
    """

    name: str
    aliases: tuple[str, ...]
    kind: str
    operators: str
    get: Callable[[Any, str], Any]
    needs: Literal["", "tag", "state", "attribute"] = ""
    indexed: bool = False


_EQUALITY, _ORDER = "= <>", "= < > within"
_ANY = "= <> < > within"


def _field(name: str) -> Callable[[Any, str], Any]:
    return lambda record, _name: getattr(record, name)


JOB_ATTRIBUTES: Sequence[Attribute] = (
    Attribute("jobid", ("job_id", "job"), "job", _EQUALITY, _field("job_id"), indexed=True),
    Attribute("parent_job", ("parent",), "job", _EQUALITY, _field("parent_job"), indexed=True),
    Attribute("owner", (), "dn", _EQUALITY, _field("owner"), indexed=True),
    Attribute("status", ("state",), "state", f"{_ANY} changed", _field("state")),
    Attribute("location", (), "text", _EQUALITY, _field("location"), indexed=True),
    Attribute("destination", (), "text", _EQUALITY, _field("destination"), indexed=True),
    Attribute("done_code", ("donecode",), "done", _ANY, lambda status, _name: status.done_code.value),
    Attribute("exit_code", ("exitcode",), "int", _ANY, _field("exit_code")),
    Attribute("usertag", ("user_tag", "tag"), "text", _ANY, lambda status, name: status.user_tags.get(name),
              "tag", indexed=True),
    Attribute("time", (), "time", _ORDER, lambda status, name: status.state_enter_times.get(name), "state"),
    Attribute("state_enter_time", ("stateentertime",), "time", _ANY, _field("state_enter_time")),
    Attribute("last_update_time", ("lastupdatetime",), "time", _ANY, _field("last_update_time"), indexed=True),
    Attribute("resubmitted", (), "bool", _EQUALITY, _field("resubmitted")),
    Attribute("jdl_attr", ("jdl",), "text", _EQUALITY, lambda status, name: jdl_value(status.jdl, name.lower()),
              "attribute"),
    Attribute("job_type", ("jobtype",), "jobtype", _EQUALITY, _field("jobtype")),
    Attribute("network_server", ("networkserver",), "text", _EQUALITY,
              lambda status, _name: status.network_server.strip()),
    Attribute("vm_status", ("vmstatus",), "vmstate", _EQUALITY,
              lambda status, _name: status.extra.get("vm_state")),
)
EVENT_ATTRIBUTES: Sequence[Attribute] = (
    Attribute("time", ("event_time", "timestamp"), "time", _ANY, _field("timestamp"), indexed=True),
    Attribute("level", (), "level", _ANY, _field("level")),
    Attribute("host", (), "text", _EQUALITY, _field("host")),
    Attribute("source", (), "source", _EQUALITY, _field("source")),
    Attribute("instance", ("src_instance",), "text", _EQUALITY, _field("instance")),
    Attribute("event_type", ("type", "eventtype"), "eventtype", _EQUALITY, _field("type")),
    Attribute("chkpt_tag", ("chkpttag",), "text", _EQUALITY,
              lambda event, _name: event.fields.get("tag") if event.type == "Chkpt" else None),
)


class Table(dict[str, Attribute]):
    """Attributes by each of their names; `what` they are of."""

    def __init__(self, what: str, rows: Iterable[Attribute]) -> None:
        super().__init__((name, row) for row in rows for name in (row.name, *row.aliases))
        self.what = what


JOBS, EVENTS = Table("job", JOB_ATTRIBUTES), Table("event", EVENT_ATTRIBUTES)


def attribute(table: Table, name: str) -> Attribute:
    """The row of an attribute by any of its names. Raises Refused."""
    found = table.get(name.strip().lower())
    if found is None:
        known = dict.fromkeys(row.name for row in table.values())
        raise Refused(f"a condition on a {table.what} cannot ask for '{name[:50]}'",
                      hint=f"One of {', '.join(known)}.")
    return found


def condition(table: Table, attribute_name: str, operator: str, value: object = "", value2: object = "",
              name: object = "", *, asked: Asked) -> Condition:
    """A condition in canonical form; raises Refused that says what is wrong with it."""
    row = attribute(table, attribute_name)
    sign = SPELLINGS.get(operator.strip().lower())
    if sign is None or sign not in row.operators.split():
        raise Refused(f"{row.name} cannot be compared by '{operator[:20]}'", hint=f"One of {row.operators}.")
    named = _name(row, plain(name), asked)
    if sign is Operator.CHANGED:
        return Condition(row.name, sign)
    read = READERS[row.kind]
    second = read(plain(value2), asked) if sign is Operator.WITHIN else ""
    return Condition(row.name, sign, read(plain(value), asked), second, named)


def _name(row: Attribute, text: str, asked: Asked) -> str:
    """The canonical name of a tag, state or JDL attribute."""
    text = text.strip()
    if bool(text) != bool(row.needs) or len(text) > MAX_NAME:
        wanted = f"needs the name of a {row.needs}" if row.needs else "takes no name"
        raise Refused(f"{row.name} {wanted}")
    if row.needs == "state":
        return str(read_state(text, asked))
    return text.lower() if row.needs == "tag" else text


def grouped(groups: Iterable[Iterable[Condition]], *, changes: bool = False) -> Conditions:
    """Canonical conditions as a whole: one attribute a group, not too many; raises Refused.

    `changed` is for those who see a job before and after (`changes`).
    """
    found = tuple(map(tuple, groups))
    if len(found) > MAX_GROUPS or sum(map(len, found)) > MAX_CONDITIONS:
        raise Refused(f"at most {MAX_GROUPS} groups and {MAX_CONDITIONS} conditions are taken")
    for number, group in enumerate(found, 1):
        _check_group(number, group, changes)
    return found


def _check_group(number: int, group: Group, changes: bool) -> None:
    about = {(one.attribute, one.name.lower()) for one in group}
    if len(about) != 1:
        raise Refused(f"group {number} is about {_listed(about) or 'nothing'}; all alternatives of a group are about "
                      "one attribute, and the same tag, state or JDL attribute", group=number)
    if not changes and any(one.operator is Operator.CHANGED for one in group):
        raise Refused(f"group {number} asks for a change, which only a notification can tell", group=number)


def _listed(about: Iterable[tuple[str, str]]) -> str:
    return ", ".join(sorted(f"{attribute}:{name}" if name else attribute for attribute, name in about))


# -- evaluation ------------------------------------------------------------------------------------------


def matches(conditions: Conditions, status: JobStatus, before: JobStatus | None = None) -> bool:
    """Does this job satisfy them? `before` is what it was, for `changed`; a new job has changed."""
    return job_test(conditions)(status, before)


def matches_event(conditions: Conditions, event: Event) -> bool:
    """Does this event satisfy them?"""
    return event_test(conditions)(event)


@lru_cache(maxsize=256)
def job_test(conditions: Conditions) -> JobTest:
    """The same as a function of a job and what it was, for many jobs."""
    tests = tuple(_group_test(JOBS[group[0].attribute], group) for group in conditions)

    def test(status: JobStatus, before: JobStatus | None) -> bool:
        return all(one(status, before) for one in tests)

    return test


@lru_cache(maxsize=256)
def event_test(conditions: Conditions) -> EventTest:
    """The same as a function of an event."""
    tests = tuple(_group_test(EVENTS[group[0].attribute], group) for group in conditions)

    def test(event: Event) -> bool:
        return all(one(event, None) for one in tests)

    return test


def _group_test(row: Attribute, group: Group) -> Callable[[Any, Any], bool]:
    """Alternatives that are plain equalities are one look-up."""
    key, name, get = KEYS.get(row.kind, _same), group[0].name, row.get
    equal = frozenset(key(one.value) for one in group if one.operator is Operator.EQUAL)
    others = [_TESTS[one.operator](key(one.value), key(one.value2) if one.operator is Operator.WITHIN else None)
              for one in group if one.operator not in (Operator.EQUAL, Operator.CHANGED)]
    changed = any(one.operator is Operator.CHANGED for one in group)

    def test(record: Any, before: Any) -> bool:
        found = get(record, name)
        value = None if found is None else key(found)
        return (value in equal or any(holds(value) for holds in others)
                or (changed and (before is None or get(before, name) != found)))

    return test


def _same(value: Any) -> Any:
    return value


Holds = Callable[[Any], bool]
_TESTS: Mapping[Operator, Callable[[Any, Any], Holds]] = {
    Operator.UNEQUAL: lambda wanted, _end: lambda value: bool(value != wanted),
    Operator.LESS: lambda wanted, _end: lambda value: value is not None and bool(value < wanted),
    Operator.GREATER: lambda wanted, _end: lambda value: value is not None and bool(value > wanted),
    Operator.WITHIN: lambda wanted, end: lambda value: value is not None and bool(wanted <= value <= end),
}
