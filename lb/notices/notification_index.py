"""Who may be concerned by a change of a job: registrations by the value that one of their conditions demands.

Pure. A registration is under a value only if nothing else can concern it; the others are asked every time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from lb.notices.notifications import Registration, Watch, organisation, watch
from lb.queries.conditions import Condition, Conditions, Group, Operator
from wms.identity import canonical_dn
from wms.jobstatus import JobStatus

_canonical = lru_cache(maxsize=1000)(canonical_dn)


class Key(NamedTuple):
    """A value of an attribute that a job must have."""

    attribute: str
    value: str


EVERY = Key("", "")
"""The place of registrations that demand no such value."""
_READ: dict[str, Callable[[JobStatus], str]] = {  # best first: fewest jobs share a value
    "jobid": lambda status: status.job_id,
    "parent_job": lambda status: status.parent_job,
    "owner": lambda status: _canonical(status.owner),
    "network_server": lambda status: status.network_server.strip(),
    "jdl:virtualorganisation": organisation,
}


def keys(conditions: Conditions) -> tuple[Key, ...]:
    """The values of one attribute of which a job must have one; EVERY if there is no such attribute."""
    found = {_about(group): group for group in conditions
             if all(one.operator is Operator.EQUAL for one in group)}
    for attribute in _READ:
        if attribute in found:
            return tuple(dict.fromkeys(Key(attribute, _value(one)) for one in found[attribute]))
    return (EVERY,)


def _about(group: Group) -> str:
    """The attribute a group is about; one of the job's description by its own name."""
    first = group[0]
    return f"jdl:{first.name.lower()}" if first.attribute == "jdl_attr" else first.attribute


def _value(condition: Condition) -> str:
    value = str(condition.value)
    return _canonical(value) if condition.attribute == "owner" else value


class Index:
    """All registrations of the server, each under its keys."""

    def __init__(self) -> None:
        self._watches: dict[str, Watch] = {}
        self._places: defaultdict[str, dict[str, dict[str, Watch]]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._watches)

    def put(self, registration: Registration) -> None:
        """Add it, or replace what it was."""
        self.drop(registration.id)
        found = self._watches[registration.id] = watch(registration)
        for attribute, value in keys(registration.conditions):
            self._places[attribute].setdefault(value, {})[registration.id] = found

    def drop(self, id: str) -> None:
        """Forget it; nothing happens if it is not known."""
        old = self._watches.pop(id, None)
        for attribute, value in keys(old.registration.conditions) if old else ():
            at = self._places[attribute]
            del at[value][id]
            if not at[value]:
                del at[value]
            if not at:
                del self._places[attribute]

    def candidates(self, status: JobStatus) -> list[Watch]:
        """Those that a job with this status may concern; all others it does not."""
        found: list[Watch] = []
        for attribute, at in self._places.items():
            found += at.get(_READ[attribute](status) if attribute else "", {}).values()
        return found
