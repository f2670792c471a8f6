"""What a question wants to be told of each job: the flags by name, and the records that they make of jobs.

Which jobs is decided elsewhere; these functions of a connection only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from lb import children, query
from lb.access.rights import View
from lb.access.views import shown, shown_events
from lb.queries.search import Sight
from lb.query import Found
from wms.errors import Refused, TooManyResults

NAMES = ("classads", "children", "childstat", "childhist_fast", "childhist_thorough", "anonymized", "history",
         "no_jobs", "no_states")
LONG_TEXTS = ("jdl", "matched_jdl", "condor_jdl", "rsl")
Flags = frozenset[str]
_SPELLINGS = {**{name: name for name in NAMES}, "classadd": "classads", "classad": "classads"}
_encode = msgspec.json.Encoder().encode


def read_flags(names: Iterable[str]) -> Flags:
    """The flags of these names, several in one joined by `+`. Raises Refused."""
    found = {name for text in names for name in text.lower().replace("+", " ").split()}
    for name in found - _SPELLINGS.keys():
        raise Refused(f"There is no flag '{name[:50]}'.", hint=f"Flags are {', '.join(NAMES)}.")
    return frozenset(_SPELLINGS[name] for name in found)


class Telling(NamedTuple):
    """How jobs are told to somebody: the flags, and how many children or events at most in one answer."""

    flags: Flags
    sight: Sight
    most_children: int
    most_events: int


def texts(conn: sa.Connection, jobs: Sequence[tuple[View, Found]], telling: Telling) -> list[bytes]:
    """The records as JSON, as in `record`."""
    return [_encode(record(conn, view, job, telling)) for view, job in jobs]


def record(conn: sa.Connection, view: View, job: Found, telling: Telling) -> dict[str, Any]:
    """The record of one job, which is as `view` has it. Raises TooManyResults for more children or events than are
    told at once.
    """
    flags, status = telling.flags, job.status
    if "no_states" in flags:
        return {"jobId": status.job_id}
    if "anonymized" in flags and view is View.FULL:
        view, status = View.ANONYMOUS, shown(status, View.ANONYMOUS, telling.sight.salt)
    told = job._replace(status=status)
    found = status_record(told if "classads" in flags else without_texts(told))
    if view > View.MONITORING:
        found |= _more(conn, view, job, telling)
    if "no_jobs" in flags:
        found.pop("jobId", None)
    return found


def status_record(job: Found) -> dict[str, Any]:
    """The JSON of a status: its fields that are not null, and `version`, the number of events behind it."""
    found: dict[str, Any] = msgspec.to_builtins(job.status)
    found["version"] = job.version
    return found


def without_texts(job: Found) -> Found:
    """The same without its descriptions, for lists."""
    return job._replace(status=msgspec.structs.replace(job.status, **dict.fromkeys(LONG_TEXTS, "")))


def _more(conn: sa.Connection, view: View, job: Found, telling: Telling) -> dict[str, Any]:
    """What is told only on request."""
    more: dict[str, Any] = {}
    if "history" in telling.flags:
        _check(job.version, telling.most_events, "events")
        events = shown_events(query.events(conn, job.unique), view, telling.sight.salt)
        more["history"] = msgspec.to_builtins(events)
    if job.status.jobtype.composite:
        more |= _family(conn, job, telling)
    return more


def _family(conn: sa.Connection, job: Found, telling: Telling) -> dict[str, Any]:
    flags, most, more = telling.flags, telling.most_children, dict[str, Any]()
    if flags & {"children", "childstat"}:
        _check(job.status.children_num, most, "children")
    if "children" in flags:
        more["children"] = children.ids(conn, job.unique, limit=most).ids
    if "childstat" in flags:
        more["children_states"] = child_records(conn, children.records(conn, job.unique, limit=most).jobs, telling)
    if flags & {"childhist_fast", "childhist_thorough"}:
        more["children_hist"] = children.histogram(conn, job.unique, "childhist_thorough" in flags)
    return more


def child_records(conn: sa.Connection, jobs: Sequence[Found], telling: Telling) -> list[dict[str, Any]]:
    """The records of those of these jobs that may be seen, as they may be seen, without their own children."""
    told = telling._replace(flags=telling.flags & {"classads", "anonymized"})
    seen = [(telling.sight.view(job.status), job) for job in jobs]
    return [record(conn, view, job._replace(status=shown(job.status, view, telling.sight.salt)), told)
            for view, job in seen if view is not View.NONE]


def _check(number: int, most: int, what: str) -> None:
    if number > most:
        raise TooManyResults(f"A job has {number} {what}, at most {most} are told in one answer.", limit=most,
                             hint=f"Ask for the {what} of that job, page by page.")
