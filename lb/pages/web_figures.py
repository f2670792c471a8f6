"""Pages about the service itself: statistics as plots, counters, configuration, version, types of events.

Pure rendering: records in, pages out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lb.figures.about import lines
from lb.figures.statistics import ALL, DONE_FAILED, DONE_OK, Sums
from lb.pages.charts import Column, Mark, Whisker, columns, roof, shares, time_marks, time_roof, whisker
from lb.pages.figures_query import Panorama, Place, Rate, Timed
from lb.pages.web import Form, html_page, json_page, text_page
from lb.pages.wording import FAILED, clock, duration
from wms.event import EVENT_TYPES
from wms.httpd import Page
from wms.jobstatus import JobState, JobType
from wms.operations.figures import Configuration, Counted
from wms.operations.jobs import Version

RENEW_S = 15
SPANS = {10: "10 minutes", 60: "30 minutes", 900: "3 hours", 3600: "7 days"}
_COLOURS = {DONE_OK: JobState.DONE.value, DONE_FAILED: FAILED}
_ALWAYS = frozenset({"Ready", "Scheduled", "Running", DONE_OK, DONE_FAILED})


class Plot(NamedTuple):
    """How often a state was entered: columns below a roof of `top` jobs a second."""

    phase: str
    colour: str
    number: int
    top: float
    columns: Sequence[Column]


class Spread(NamedTuple):
    """A mean of seconds with its dispersion, as a line of a plot."""

    name: str
    colour: str
    sums: Sums
    whisker: Whisker


class Fate(NamedTuple):
    """A destination with the shares (x, width) of its jobs that succeeded and that failed."""

    place: Place
    shares: Sequence[tuple[float, float]]


def statistics_page(form: Form, seen: Panorama, counters: Mapping[str, Counted]) -> Page:
    """What the server has counted and measured."""
    if form == "json":
        return json_page(_record(seen, counters))
    if form == "text":
        return text_page(lines(_counter_lines(counters)))
    return html_page("statistics.html", _values(seen, counters), live="", every=RENEW_S)


def _values(seen: Panorama, counters: Mapping[str, Counted]) -> dict[str, Any]:
    durations = [one for one in seen.durations if one.sums.number > 0]
    dwells = [one for one in seen.dwells if one.sums.number > 0]
    top, dwell_top = _top(durations), _top(dwells)
    return {
        "destination": seen.destination, "all": ALL, "resolution": seen.ring.seconds, "spans": SPANS,
        "begin": seen.begin, "end": seen.end, "axis": time_marks(seen.begin, seen.end, 5),
        "plots": [_plot(one, seen) for one in seen.rates if one.number or one.phase in _ALWAYS],
        "durations": [_spread(one, top) for one in durations], "duration_axis": _time_axis(top),
        "dwells": [_spread(one, dwell_top) for one in dwells], "dwell_axis": _time_axis(dwell_top),
        "fates": [Fate(place, shares([place.ok, place.failed], 0.0)) for place in seen.places],
        "others": seen.others, "counters": counters}


def _plot(one: Rate, seen: Panorama) -> Plot:
    top = roof(max((point.rate for point in one.points), default=0.0))
    slots = [(point.at, point.at + point.seconds, point.rate) for point in one.points]
    return Plot(one.phase, _COLOURS.get(one.phase, one.phase), one.number, top,
                columns(slots, seen.begin, seen.end, top))


def _top(measured: Iterable[Timed]) -> float:
    return time_roof(max((one.sums.mean + one.sums.deviation for one in measured), default=1.0))


def _spread(one: Timed, top: float) -> Spread:
    phase = one.name.rpartition(" to ")[2]
    return Spread(one.name, _COLOURS.get(phase, phase), one.sums, whisker(one.sums.mean, one.sums.deviation, top))


def _time_axis(top: float) -> list[Mark]:
    return [Mark(25.0 * quarter, duration(top * quarter / 4) if quarter else "0") for quarter in range(5)]


def _counter_lines(counters: Mapping[str, Counted]) -> Iterable[tuple[str, object]]:
    for name, one in counters.items():
        yield name, one.value
        yield f"{name}_since", f"{one.since:.0f}"


def _record(seen: Panorama, counters: Mapping[str, Counted]) -> dict[str, Any]:
    length = seen.end - seen.begin
    return {
        "counters": msgspec.to_builtins(counters), "destination": seen.destination, "since": seen.begin,
        "until": seen.end, "resolution_s": seen.ring.seconds,
        "rates": {one.phase: one.number / length for one in seen.rates},
        "durations": {one.name: _seconds(one.sums) for one in seen.durations},
        "dwell": {one.name: _seconds(one.sums) for one in seen.dwells},
        "destinations": {one.name: {"done_ok": one.ok, "done_failed": one.failed, "scheduled_to_running":
                                    _seconds(one.waited), "running_to_done": _seconds(one.ran)}
                         for one in seen.places}}


def _seconds(sums: Sums) -> dict[str, float]:
    return {"samples": sums.number, "mean": sums.mean, "deviation": sums.deviation}


def configuration_page(form: Form, found: Configuration) -> Page:
    """What the server says of itself to this caller."""
    record = {name: value for name, value in msgspec.structs.asdict(found).items() if value is not None}
    if form == "json":
        return json_page(record)
    if form == "text":
        return text_page(lines(record.items()))
    return html_page("facts.html", {"title": "Configuration", "name": "configuration", "facts": {
        name: _plain(name, value) for name, value in record.items()}})


def _plain(name: str, value: object) -> str:
    if name in ("dump_start", "dump_end") and isinstance(value, float):
        return clock(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def version_page(form: Form, found: Version) -> Page:
    """Which version this is."""
    record = msgspec.structs.asdict(found)
    if form == "json":
        return json_page(record)
    if form == "text":
        return text_page(lines(record.items()))
    return html_page("facts.html", {"title": "Version", "name": "version", "facts": record})


def types_page(form: Form) -> Page:
    """The types of events with their fields, the states and the types of jobs."""
    states, kinds = [state.value for state in JobState], [kind.value for kind in JobType if kind.value]
    if form == "html":
        return html_page("types.html", {"types": EVENT_TYPES.values(), "states": states, "kinds": kinds})
    if form == "text":
        fields = {row.name: (row.code, *(field.name for field in row.fields)) for row in EVENT_TYPES.values()}
        return text_page(lines([*fields.items(), ("states", tuple(states)), ("jobtypes", tuple(kinds))]))
    return json_page({"states": states, "jobtypes": kinds, "events": [
        {"name": row.name, "code": row.code, "fields": [field._asdict() for field in row.fields]}
        for row in EVENT_TYPES.values()]})
