"""The page of a job, as HTML, text or JSON: what its identifier shows when used as a URL.

Pure rendering: records and times in, pages out. Who may see them is decided before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from lb.pages.charts import NARROWEST, WHOLE, stack
from lb.pages.timeline import Bar, Span, axis, bars, place, spans
from lb.pages.web import COLOURS, Form, colour, html_page, json_page, text_page
from lb.pages.web_lists import line
from lb.pages.wording import FAILED, clock, duration
from lb.query import Found, JobsPage
from lb.state.attempts import Attempt, attempts
from lb.text import status_lines
from wms.event import Event
from wms.httpd import Page
from wms.jobstatus import DoneCode, JobState, JobStatus

LIVE = "/lb/v1/jobs/{}/live"
_OUTCOMES = {"": JobState.RUNNING.value, "OK": JobState.DONE.value, "Cancelled": JobState.CANCELLED.value,
             "Aborted": JobState.ABORTED.value}


class View(NamedTuple):
    """What is known of a job for its page. `children` are those asked for, in `chosen` state ("": any)."""

    found: Found
    events: Sequence[Event]
    histogram: Mapping[str, int] = {}
    children: JobsPage | None = None
    chosen: str = ""


class Lane(NamedTuple):
    """An attempt below the timeline, in percent."""

    attempt: Attempt
    colour: str
    x: float
    width: float


def job_page(form: Form, view: View, flags: frozenset[str], now: float) -> Page:
    """The page of a job at `now` (epoch s); HTML has everything, text and JSON what the flags ask for."""
    if form == "html":
        return _page(view, now)
    status = _flagged(view, flags)
    history = view.events if "history" in flags else ()
    if form == "text":
        return text_page(status_lines(status, history))
    record: dict[str, Any] = msgspec.to_builtins(status) | {"version": view.found.version}
    if "history" in flags:
        record["history"] = msgspec.to_builtins(history)
    return json_page({"jobId": status.job_id} | _only(record, "children") if "no_states" in flags else record)


def _only(record: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: record[name] for name in names if name in record}


def _flagged(view: View, flags: frozenset[str]) -> JobStatus:
    """The status with its family as the flags ask for it."""
    status, known = view.found.status, view.children.jobs if view.children else []
    uniques = [child.status.job_id for child in known]
    return msgspec.structs.replace(
        status,
        children_hist=dict(view.histogram) or status.children_hist,
        children=uniques if "children" in flags and "no_jobs" not in flags else status.children,
        children_states=[child.status for child in known]
        if "childstat" in flags and "no_states" not in flags else status.children_states)


def _page(view: View, now: float) -> Page:
    status, unique = view.found.status, view.found.unique
    ended = status.state.terminal
    return html_page("job.html", _values(view, now), live=None if ended else LIVE.format(quote(unique, safe="")),
                     refresh=not ended and status.state is not JobState.DONE)


def _values(view: View, now: float) -> dict[str, Any]:
    """The values of the template."""
    status, drawn = view.found.status, bars(spans(view.events, now))
    tried = attempts(view.events)
    return {
        "unique": view.found.unique, "status": status, "events": view.events, "facts": list(_facts(status)),
        "colour": colour(status), "since": _since(status, now), "parent": status.parent_job.rpartition("/")[2],
        "composite": status.jobtype.composite, "histogram": stack(view.histogram, COLOURS),
        "bars": drawn, "shade": _shade, "axis": axis(drawn), "length": _length(drawn), "attempts": tried,
        "lane": list(_lane(tried, drawn, now)), "failures": status.failure_reasons.splitlines(),
        "children": None if view.children is None else list(map(line, view.children.jobs)), "chosen": view.chosen,
        "next": _next(view), "related": list(_related(status))}


def _since(status: JobStatus, now: float) -> str:
    at = status.state_enter_time
    if status.state.terminal or not at:
        return clock(at)
    return f"for {duration(max(0.0, now - at))}, since {clock(at)}"


def _length(drawn: Sequence[Bar]) -> str:
    return duration(drawn[-1].span.end - drawn[0].span.begin) if drawn else ""


def _lane(tried: Sequence[Attempt], drawn: Sequence[Bar], now: float) -> Iterator[Lane]:
    if not drawn:
        return
    for attempt in tried:
        left = min(place(drawn, attempt.matched), WHOLE - NARROWEST)
        width = max(NARROWEST, place(drawn, attempt.ended or now) - left)
        yield Lane(attempt, _OUTCOMES.get(attempt.outcome, FAILED), left, round(min(width, WHOLE - left), 3))


def _shade(span: Span) -> str:
    return FAILED if span.failed else span.state.value


def _next(view: View) -> str:
    if view.children is None or not view.children.cursor:
        return ""
    state = f"state={view.chosen}&" if view.chosen else ""
    return f"?{state}cursor={quote(view.children.cursor)}#children"


def _related(status: JobStatus) -> Iterator[tuple[str, str]]:
    """(what it is, unique part) of the jobs that belong to this one."""
    for name, job in (("Input sandbox", status.isb_transfer), ("Output sandbox", status.osb_transfer)):
        if job:
            yield name, job.rpartition("/")[2]
    for edge in status.related:
        if job := edge.get("jobId") or edge.get("job", ""):
            yield edge.get("state", "Connected").capitalize(), job.rpartition("/")[2]


def _facts(status: JobStatus) -> Iterator[tuple[str, str]]:
    """What is worth a line, as long as it is known."""
    ended = status.done_code is not DoneCode.NONE
    known = (
        ("Owner", status.owner),
        ("Payload of", status.payload_owner),
        ("Type", status.jobtype.value),
        ("Destination", status.destination),
        ("Worker node", status.ce_node),
        ("Location", status.location),
        ("Outcome", status.done_code.name if ended else ""),
        ("Exit code", str(status.exit_code) if status.done_code is DoneCode.OK else ""),
        ("Wrapper exit code", str(status.wrapper_exit_code) if status.wrapper_exit_code >= 0 else ""),
        ("Processor time", duration(status.cpu_time) if status.cpu_time >= 0 else ""),
        ("Job wrapper", status.jw_status.value if status.jw_status.value != "UNKNOWN" else ""),
        ("Resubmitted", "yes" if status.resubmitted else ""),
        ("Cancelling", status.cancel_reason or "yes" if status.cancelling else ""),
        ("Suspended", status.suspend_reason or "yes" if status.suspended else ""),
        ("Id at the CE", status.condor_id or status.globus_id or status.local_id),
        ("Network Server", status.network_server),
        ("Submitted from", status.ui_host),
        ("Output", status.sandbox_retrieved.value if status.sandbox_retrieved.value != "NOTYET" else ""),
        ("Last heard of", clock(status.last_update_time)),
    )
    return ((name, value) for name, value in known if value)
