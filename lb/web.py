"""The page of a job, as HTML, text or JSON: what its identifier shows when used as a URL. No JavaScript.

Pure rendering: records and times in, pages out. Who may see them is decided before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from lb.query import Found
from lb.text import error_lines, status_lines
from lb.timeline import bars, spans
from wms.errors import WmsError
from wms.event import Event
from wms.httpd import Page
from wms.jobstatus import DoneCode, JobState, JobStatus

Form = Literal["html", "text", "json"]
FORMS: tuple[Form, ...] = ("json", "text")
WIDTH = 1000.0
LONGEST_VALUE = 200


def form(query: Mapping[str, str], accept: str) -> Form:
    """The form asked for: `?json` and `?text` come before the Accept header."""
    for name in FORMS:
        if name in query:
            return name
    if "text/html" in accept:
        return "html"
    return "json" if "application/json" in accept else "text" if "text/plain" in accept else "html"


def job_page(form: Form, found: Found, events: Sequence[Event], now: float, *,
             history: bool = False) -> Page:
    """The page of a job at `now` (epoch s); `history` adds the events to text and JSON, HTML has them."""
    if form == "json":
        record = msgspec.to_builtins(found.status) | {"version": found.version}
        more = {"history": msgspec.to_builtins(events)} if history else {}
        return Page(msgspec.json.encode(record | more), "application/json")
    if form == "text":
        return _text(status_lines(found.status, events if history else ()))
    return _html("job.html", _job(found, events, now))


def refusal(form: Form, error: WmsError, unique: str) -> Page:
    """Why there is no page."""
    if form == "json":
        return Page(msgspec.json.encode(error.record()), "application/json", error.status)
    if form == "text":
        return _text(error_lines(error), error.status)
    return _html("refusal.html", {"error": error, "unique": unique}, error.status)


def _job(found: Found, events: Sequence[Event], now: float) -> dict[str, Any]:
    """The values of the template."""
    status, done = found.status, found.status.state is JobState.DONE
    failed = done and status.done_code is not DoneCode.OK
    return {
        "unique": found.unique, "status": status, "events": events, "facts": list(_facts(status)),
        "bars": bars(spans(events, now), WIDTH), "live": not (done or status.state.terminal),
        "colour": "Failed" if failed else status.state.value,
        "since": f"since {clock(status.state_enter_time)}"}


def _facts(status: JobStatus) -> Iterator[tuple[str, str]]:
    """What is worth a line, as long as it is known."""
    ended = status.done_code is not DoneCode.NONE
    known = (
        ("Owner", status.owner),
        ("Type", status.jobtype.value),
        ("Parent", status.parent_job),
        ("Destination", status.destination),
        ("Worker node", status.ce_node),
        ("Location", status.location),
        ("Outcome", status.done_code.name if ended else ""),
        ("Exit code", str(status.exit_code) if status.done_code is DoneCode.OK else ""),
        ("Wrapper exit code", str(status.wrapper_exit_code) if status.wrapper_exit_code >= 0 else ""),
        ("Processor time", duration(status.cpu_time) if status.cpu_time >= 0 else ""),
        ("Job wrapper", status.jw_status.value if status.jw_status.value != "UNKNOWN" else ""),
        ("Failures", status.failure_reasons),
        ("Resubmitted", "yes" if status.resubmitted else ""),
        ("Cancelling", status.cancel_reason or "yes" if status.cancelling else ""),
        ("Suspended", status.suspend_reason or "yes" if status.suspended else ""),
        ("Id at the CE", status.condor_id or status.globus_id or status.local_id),
        ("Network Server", status.network_server),
        ("Submitted from", status.ui_host),
        ("Output", status.sandbox_retrieved.value if status.sandbox_retrieved.value != "NOTYET" else ""),
        ("Tags", ", ".join(f"{name} = {value}" for name, value in status.user_tags.items())),
    )
    return ((name, value) for name, value in known if value)


def clock(seconds: float) -> str:
    """Epoch seconds as a date and time of day, UTC."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}"


def duration(seconds: float) -> str:
    """Seconds for people: `12.3 s`, `4 min 05 s`, `2 h 03 min`, `1 d 04 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24:02d} h"


def what(event: Event) -> str:
    """The fields of an event in a line."""
    return ", ".join(f"{name}: {_short(str(value))}" for name, value in event.fields.items())


def _short(value: str) -> str:
    return value if len(value) <= LONGEST_VALUE else value[:LONGEST_VALUE] + " …"


_templates = Environment(
    loader=PackageLoader("lb"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
    auto_reload=False)
_templates.filters.update(clock=clock, duration=duration, what=what)


def _html(template: str, values: Mapping[str, Any], status: int = 200) -> Page:
    return Page(_templates.get_template(template).render(values).encode(), status=status)


def _text(lines: str, status: int = 200) -> Page:
    return Page(lines.encode(), "text/plain; charset=utf-8", status)
