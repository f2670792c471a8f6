"""The questions to Logging & Bookkeeping: status, lists, events, and the identifier of a job as a URL."""

from __future__ import annotations

from typing import Any

from wms.operations.row import Operation, Record, lb


class JobIds(Record, frozen=True):
    jobs: tuple[str, ...]


class Statuses(Record, frozen=True):
    """One JSON status record (see wms.jobstatus) for each job found and readable; `problems` for the others."""

    statuses: tuple[dict[str, Any], ...]
    problems: dict[str, dict[str, Any]] = {}


class JobList(Record, frozen=True):
    jobs: tuple[dict[str, Any], ...]
    cursor: str = ""


class EventList(Record, frozen=True):
    """All events of a job in order of their sequence codes; see wms.event."""

    job: str
    events: tuple[dict[str, Any], ...]


ROWS: tuple[Operation, ...] = (
    lb("status", "GET", "/lb/v1/jobs/{unique}", "reader",
        "Status of one job; with wait_s, answers when it has more than `newer_than` events.",
        reply=dict, query=("wait_s", "newer_than")),
    lb("statuses", "POST", "/lb/v1/statuses", "user", "Status of many jobs in one call.",
        request=JobIds, reply=Statuses),
    lb("jobs", "GET", "/lb/v1/jobs", "user", "The caller's jobs, newest first, page by page.",
        reply=JobList, query=("state", "limit", "cursor")),
    lb("events", "GET", "/lb/v1/jobs/{unique}/events", "reader", "The events of one job.", reply=EventList),
    lb("page", "GET", "/{unique}", "reader",
        "The job id as a URL: a page for a browser, ?text for key=value lines, ?json, ?flags=history.",
        stream="page", query=("text", "json", "flags")),
)
