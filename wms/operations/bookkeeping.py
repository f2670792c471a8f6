"""The questions to Logging & Bookkeeping: status, lists, searches, events, children."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from wms.operations.row import Operation, Record, lb

Limit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)]
Policy = Literal["none", "limited", "all"]


class JobIds(Record, frozen=True):
    jobs: tuple[str, ...]


class Statuses(Record, frozen=True):
    """One JSON status record (see wms.jobstatus) for each job found and readable; `problems` for the others."""

    statuses: tuple[dict[str, Any], ...]
    problems: dict[str, dict[str, Any]] = {}


class JobList(Record, frozen=True):
    """Status records; `cursor` asks for those that follow, "" if there are none."""

    jobs: tuple[dict[str, Any], ...]
    cursor: str = ""


class EventList(Record, frozen=True):
    """All events of a job in order of their sequence codes; see wms.event."""

    job: str
    events: tuple[dict[str, Any], ...]


class Given(Record, frozen=True):
    """A condition: `attribute operator value`; `value2` ends the interval of `within`, `name` is that of a tag, a state
    or a JDL attribute.
    """

    attribute: str
    operator: str = "="
    value: str | int | float | bool | None = None
    value2: str | int | float | bool | None = None
    name: str = ""


class JobQuery(Record, frozen=True):
    """Which jobs: those that satisfy all groups of `conditions`, a group being alternatives about one attribute; and
    `query` (as in a URL, `attr=val&attr<val|=val2`) and `lines` (a group a line, `attr op value`).

    Of more than `limit` jobs (0: what the server allows), policy `limited` gives the first and the cursor of the
    others, `none` an error, `all` all if one owner is asked for. `flags`: classads, children, childstat,
    childhist_fast, childhist_thorough, anonymized, history, no_jobs, no_states.
    """

    conditions: tuple[tuple[Given, ...], ...] = ()
    query: str = ""
    lines: str = ""
    flags: tuple[str, ...] = ()
    limit: Limit = 0
    policy: Policy = "limited"
    cursor: str = ""


class EventQuery(Record, frozen=True):
    """Which events: those of the jobs that satisfy `conditions`, `query` and `lines`, as in a query of jobs, that
    satisfy `event_conditions` and `event_lines`. Policy `all` gives all if one job is asked for.
    """

    conditions: tuple[tuple[Given, ...], ...] = ()
    query: str = ""
    lines: str = ""
    event_conditions: tuple[tuple[Given, ...], ...] = ()
    event_lines: str = ""
    limit: Limit = 0
    policy: Policy = "limited"
    cursor: str = ""


class FoundEvents(Record, frozen=True):
    """Events, job by job or by time; `cursor` asks for those that follow, "" if there are none."""

    events: tuple[dict[str, Any], ...]
    cursor: str = ""


class Children(Record, frozen=True):
    """Identifiers of the children of a job, or with the flag childstat their status records; a page of them."""

    job: str
    children: tuple[str, ...] = ()
    jobs: tuple[dict[str, Any], ...] = ()
    cursor: str = ""


class ChildHistogram(Record, frozen=True):
    """How many children are in each state; `thorough`: counted now, otherwise as kept, in classes."""

    job: str
    histogram: dict[str, int]
    thorough: bool = False


_STREAMED = "With ?stream or Accept: application/x-ndjson a line each, without a limit; the last holds the cursor."

ROWS: tuple[Operation, ...] = (
    lb("status", "GET", "/lb/v1/jobs/{unique}", "reader",
        "Status of one job; with wait_s, answers when it has more than `newer_than` events.",
        reply=dict, query=("wait_s", "newer_than", "flags")),
    lb("statuses", "POST", "/lb/v1/statuses", "user", "Status of many jobs in one call.",
        request=JobIds, reply=Statuses, action="read"),
    lb("jobs", "GET", "/lb/v1/jobs", "user", "The caller's jobs, newest first, page by page; ?children=no: no nodes.",
        reply=JobList, query=("state", "limit", "cursor", "children")),
    lb("query_jobs", "POST", "/lb/v1/query/jobs", "user", f"Jobs that satisfy conditions. {_STREAMED}",
        request=JobQuery, reply=JobList, query=("stream",), action="read"),
    lb("query_events", "POST", "/lb/v1/query/events", "user", f"Events that satisfy conditions. {_STREAMED}",
        request=EventQuery, reply=FoundEvents, query=("stream",), action="read"),
    lb("children", "GET", "/lb/v1/jobs/{unique}/children", "reader", "The children of a job, page by page.",
        reply=Children, query=("flags", "limit", "cursor")),
    lb("histogram", "GET", "/lb/v1/jobs/{unique}/histogram", "reader",
        "How many children of a job are in each state; ?thorough counts them.", reply=ChildHistogram,
        query=("thorough",)),
    lb("events", "GET", "/lb/v1/jobs/{unique}/events", "reader", "The events of one job.", reply=EventList),
    lb("page", "GET", "/{unique}", "reader",
        "The job id as a URL: a page for a browser, ?text for key=value lines, ?json, ?flags=history.",
        stream="page", query=("text", "json", "flags")),
)
