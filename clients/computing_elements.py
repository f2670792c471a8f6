"""Computing elements, as `wms ce` asks for them and shows them: calls of the service, tables of text."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from wms.operations import OPERATIONS
from wms.operations.ces import (
    Ce,
    CeDetail,
    CeList,
    CheckReport,
    CheckRequest,
    DrainReply,
    DrainRequest,
    Probe,
    ResumeRequest,
)

if TYPE_CHECKING:
    from clients.transport import Connection

T = TypeVar("T")
LOOK_S = 1.0
HEADS = ("CE", "State", "Slots", "Free", "Run", "Wait", "Response", "Measured", "Success", "Age", "From")
_SIZES = ((86_400, "d"), (3600, "h"), (60, "min"))


# -- asking ----------------------------------------------------------------------------------------------


def listing(ns: Connection, ce: str = "", *, full: bool = False) -> CeList:
    query = {**({"ce": ce} if ce else {}), **({"full": "yes"} if full else {})}
    found: CeList = ns.call(OPERATIONS["ns.ces"], query=query)
    return found


def drain(ns: Connection, ce: str, reason: str) -> DrainReply:
    done: DrainReply = ns.call(OPERATIONS["ns.ce_drain"], DrainRequest(ce, reason), key=uuid4().hex)
    return done


def resume(ns: Connection, ce: str) -> DrainReply:
    done: DrainReply = ns.call(OPERATIONS["ns.ce_resume"], ResumeRequest(ce), key=uuid4().hex)
    return done


def configured(ns: Connection, ce: str) -> tuple[str, str]:
    """The name below `ce` and the queue that an id means; anything else is a name, of no queue in particular."""
    found = next((one for one in listing(ns, ce).ces if one.backend), None) if "/" in ce else None
    return (found.backend, found.queue) if found else (ce, "")


def check(ns: Connection, request: CheckRequest, tell: Callable[[Probe], None]) -> CheckReport:
    """Until it has ended; each probe is told as it is known."""
    report: CheckReport = ns.call(OPERATIONS["ns.ce_check"], request)
    told = 0
    while True:
        for probe in report.probes[told:]:
            tell(probe)
        told = len(report.probes)
        if report.finished:
            return report
        time.sleep(LOOK_S)
        report = ns.call(OPERATIONS["ns.ce_checked"], query={"ce": request.ce})


# -- showing ---------------------------------------------------------------------------------------------


def table(found: CeList) -> str:
    """A line a CE, and below what is drained and who does not answer."""
    lines = list(columns(HEADS, map(_row, found.ces))) if found.ces else ["No computing element is known."]
    if found.drained:
        lines += ["", "Drained:", *(f"  {one.ce}  since {local(one.since)}  by {one.by}: {one.reason}"
                                    for one in found.drained)]
    if found.silent:
        lines += ["", "No answer:", *(f"  {name}: {problem}" for name, problem in found.silent.items())]
    return "\n".join(lines)


def _row(ce: Ce) -> tuple[str, ...]:
    measured = ce.measured
    return (ce.id, ce.state or "?", figure(ce.slots), figure(ce.free), figure(ce.running), figure(ce.waiting),
            span(ce.response_s), span(measured.queue_s) if measured and measured.jobs else "-",
            f"{measured.success:.0%}" if measured and measured.ends else "-", span(ce.age_s), ce.backend or ce.source)


def columns(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """As wide as they need to be."""
    all = [heads, *rows]
    widths = [max(map(len, column)) for column in zip(*all, strict=True)]
    for row in all:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()


def full(one: CeDetail) -> str:
    """Everything about a CE."""
    ce = one.ce
    lines = [f"CE:        {ce.id}", f"State:     {_state(ce)}",
             f"Backend:   {f'{ce.backend}, queue {ce.queue}' if ce.backend else 'none: jobs cannot be sent there'}",
             f"Known:     from {ce.source}, {span(ce.age_s)} ago"
             + (f", holds until {local(ce.expires)}" if ce.expires else "")]
    lines += [f"Drained:   by {drained.by} since {local(drained.since)}: {drained.reason} ({drained.ce})"
              for drained in ce.drained]
    lines += [f"Set aside: for {ce.aside} kinds of jobs, which fail there"] if ce.aside else []
    lines += [f"Health:    {', '.join(f'{name} {value}' for name, value in one.health.items())}"] if one.health else []
    lines += [f"Measured:  {text}" for text in _measured(ce)]
    rows = ((a.name, _text(a.value), a.source, span(a.age_s)) for a in one.attributes)
    return "\n".join([*lines, "", *columns(("Attribute", "Value", "From", "Age"), rows)])


def _state(ce: Ce) -> str:
    return ce.state if ce.state == ce.published_state else f"{ce.state} (it publishes {ce.published_state})"


def _measured(ce: Ce) -> Iterator[str]:
    seen = ce.measured
    if seen is not None and seen.jobs:
        yield (f"{span(seen.queue_s)} in the queue, nine of ten less than {span(seen.queue90_s)} "
               f"(about {seen.jobs:.0f} jobs)")
    if seen is not None and seen.ends:
        yield f"{seen.success:.0%} of about {seen.ends:.0f} ends were good"
    if ce.published_response_s != ce.response_s:
        yield f"the estimated response time is {span(ce.response_s)}; published: {span(ce.published_response_s)}"


def changed(done: DrainReply, verb: str) -> str:
    """What an order did."""
    lines = [f"{done.ce} is {verb}."]
    lines += [f"  {ce}" for ce in done.ces if ce != done.ce]
    if verb == "resumed" and done.still:
        lines += [f"Still drained: {one.ce} by {one.by}: {one.reason}" for one in done.still]
    return "\n".join(lines)


def probe_line(probe: Probe) -> str:
    took = f"  ({probe.took_s:.1f} s)" if probe.took_s >= 1 else ""
    return f"{probe.result:8}{probe.name:13}{probe.sentence}{took}"


def figure(value: int | None) -> str:
    return "?" if value is None else str(value)


def span(seconds: float | None) -> str:
    if seconds is None:
        return "?"
    for size, name in _SIZES:
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"


def local(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "".join(c if c.isprintable() else " " for c in str(value))
