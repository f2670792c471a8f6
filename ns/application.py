"""What an application may say of its own job: read from pairs of name and value, numbered, bounded. Pure.

Only its own counter of a sequence code is believed. Who may say it for which attempt is decided before.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from wms.errors import BadEvent, BadSequenceCode, NotAllowedNow, NotPermitted
from wms.event import Event, event
from wms.seqcode import SequenceCode, Source

TYPES = ("UserTag", "CurDescr", "Chkpt", "Listener")
MAX_COUNTER = 10_000
"""Of an attempt's application events; the counter grows by one or two with each."""
BURST, PER_S = 50.0, 5.0
REMEMBERED = 10_000
RESERVED = frozenset({"level", "priority", "instance"})
"""Names that the record of an event has beside its fields."""


def pairs(body: bytes) -> dict[str, str]:
    """Names and values, each ended by a null byte. Raises BadEvent."""
    try:
        parts = body.decode().split("\0")
    except UnicodeDecodeError:
        raise BadEvent("the event is not UTF-8 text", field="body") from None
    if parts.pop() or len(parts) % 2 or len(set(parts[::2])) * 2 != len(parts):
        raise BadEvent("the event is not pairs of name and value", field="body")
    return dict(zip(parts[::2], parts[1::2], strict=True))


def application_event(job: str, owner: str, last: str, given: dict[str, str], now: float) -> Event:
    """The event, with the next code after `last`, which is the last that was used in this attempt.

    Raises NotPermitted for events that are not an application's, BadEvent for what is none.
    """
    kind = given.get(":event", "UserTag")
    if kind not in TYPES:
        raise NotPermitted(f"A payload may not log {kind[:50]}.", hint=f"It may log {', '.join(TYPES)}.")
    code = next_code(last, given.get(":sequence", ""), attach=not given.get(":keep"))
    fields: dict[str, Any] = {name: value for name, value in given.items() if not name.startswith(":")}
    if reserved := fields.keys() & RESERVED:
        raise BadEvent(f"{kind} has no field {min(reserved)}", field=min(reserved))
    return event(kind, job, Source.APPLICATION, code, now, given.get(":host") or "unknown", owner,
                 instance=given.get(":instance", ""), **fields)


def next_code(last: str, given: str, *, attach: bool = True) -> SequenceCode:
    """The next code of the application: after the last that is known here, and after the one it holds itself.

    Only its own counter is believed. Without `attach` a code it holds that is new here is used as it is.
    """
    here = SequenceCode.parse(last)
    try:
        held = SequenceCode.parse(given).app if given else 0
    except BadSequenceCode as error:
        raise BadEvent(error.message, field="seqcode") from None
    fresh = held > here.app and not attach
    code = here._replace(app=held) if fresh else here._replace(app=max(held, here.app)).advanced(Source.APPLICATION)
    if code.app > MAX_COUNTER:
        raise NotAllowedNow(f"An attempt logs at most {MAX_COUNTER} events.", limit=MAX_COUNTER)
    return code


class Rate:
    """How much each attempt may still log now: BURST at once, PER_S a second in the long run."""

    def __init__(self) -> None:
        self._left: OrderedDict[tuple[str, int], tuple[float, float]] = OrderedDict()

    def admits(self, whose: tuple[str, int], now: float) -> bool:
        left, since = self._left.pop(whose, (BURST, now))
        left = min(BURST, left + max(0.0, now - since) * PER_S)
        self._left[whose] = (max(0.0, left - 1), now)
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return left >= 1
