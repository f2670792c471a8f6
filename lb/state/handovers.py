"""Hand-overs of a job from one component to the next, told by both: who is expected to say what the other said already.

Parts of the state table, functions of (record, event, moment) as in `lb.state.parts`: `sent_X` and `came_X`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lb.state.branches import Moment
from lb.state.record import Record
from wms.event import Event, Source

Part = Callable[[Record, Event, Moment], None]

# where to, and who tells that the job was sent there
_SENDERS: Mapping[str, Source] = {
    "wm": Source.NETWORK_SERVER, "jc": Source.WORKLOAD_MANAGER, "lm": Source.JOB_CONTROLLER,
    "node": Source.LOG_MONITOR}
_BITS = {name: 1 << number for number, name in enumerate(_SENDERS)}
_ATTEMPT = _BITS["lm"] | _BITS["node"]


def _sent(name: str) -> Part:
    """The sender has spoken; with the hand-over to the Job Controller an attempt begins."""
    bit, forgotten = _BITS[name], _ATTEMPT if name == "jc" else 0

    def sent(record: Record, event: Event, moment: Moment) -> None:
        record.handed_over = record.handed_over & ~forgotten | bit
        if record.expect_update:
            _expect(record, _missing(record) - {_SENDERS[name].value})

    return sent


def _came(name: str) -> Part:
    """The receiver has spoken: the sender has, or is expected to."""
    bit, sender = _BITS[name], _SENDERS[name].value

    def came(record: Record, event: Event, moment: Moment) -> None:
        if not record.handed_over & bit:
            _expect(record, _missing(record) | {sender})

    return came


def _missing(record: Record) -> set[str]:
    return set(record.expect_from.split(",")) - {""}


def _expect(record: Record, sources: set[str]) -> None:
    record.expect_from = ",".join(sorted(sources))
    record.expect_update = bool(sources)


HANDOVER_PARTS: dict[str, Part] = {f"sent_{name}": _sent(name) for name in _SENDERS} | {
    f"came_{name}": _came(name) for name in _SENDERS}
