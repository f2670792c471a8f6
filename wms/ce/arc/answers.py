"""What an A-REX answers about jobs: lists of items, states, the information document of a job. Pure.

Its JSON is made from XML: what comes once is no list, what is empty is a text. Not here: requests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from wms.ce import CeState, Phase, Usage
from wms.errors import Unavailable

__all__ = ["BEFORE_START", "ENDED", "PHASES", "Activity", "Item", "activity", "delegations", "ended", "items", "listed"]

PHASES: dict[str, Phase] = {
    "ACCEPTING": Phase.QUEUED, "ACCEPTED": Phase.QUEUED, "PREPARING": Phase.QUEUED, "PREPARED": Phase.QUEUED,
    "SUBMITTING": Phase.QUEUED, "QUEUING": Phase.QUEUED, "RUNNING": Phase.RUNNING, "HELD": Phase.HELD,
    "EXITINGLRMS": Phase.RUNNING, "OTHER": Phase.QUEUED, "EXECUTED": Phase.RUNNING, "FINISHING": Phase.RUNNING,
    "KILLING": Phase.RUNNING, "FINISHED": Phase.ENDED, "FAILED": Phase.ENDED, "KILLED": Phase.ENDED,
    "WIPED": Phase.LOST, "None": Phase.LOST,
}
"""The states of the REST interface. OTHER: the batch system has it, and the CE has not asked yet what it does there.

What is over there is RUNNING until the CE has brought the output, its exit status and its accounts.
"""
BEFORE_START = frozenset({"ACCEPTING", "ACCEPTED", "PREPARING"})
"""It may still wait for its files."""
ENDED = frozenset({"FINISHED", "FAILED", "KILLED"})
_GONE = frozenset({404, 410})
_OWN_END = re.compile(r"(?:LRMS error: )?\((\d+)\) (?:Job finished with wrong exit code.*|Job failed)", re.DOTALL)
"""What it says of a program that did not return 0: the status as the batch system has it, 256 + n for signal n."""
_LONGEST = 1000
_SIGNALS = 256


class Item(msgspec.Struct, frozen=True):
    """The answer about one job: `code` as in HTTP, 404 when the CE does not know it."""

    id: str
    code: int
    reason: str
    state: str
    document: Mapping[str, Any]

    @property
    def unknown(self) -> bool:
        return self.code in _GONE or self.state == "WIPED"


class Activity(msgspec.Struct, frozen=True):
    """What counts of the information document of a job."""

    name: str
    state: str
    exit_code: int | None
    errors: tuple[str, ...]
    node: str
    usage: Usage | None


def many(value: Any) -> list[Any]:
    """What may come once, often or not at all."""
    if isinstance(value, list):
        return value
    return [] if value is None or value == "" else [value]


def decoded(body: bytes) -> Mapping[str, Any]:
    """An answer without content is an empty one. Raises Unavailable for what is no answer of an A-REX."""
    if not body.strip():
        return {}
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        raise Unavailable("the CE's answer cannot be read") from None


def items(body: bytes) -> list[Item]:
    """The answer to a question about many jobs."""
    return [_item(found) for found in many(decoded(body).get("job")) if isinstance(found, dict)]


def _item(found: Mapping[str, Any]) -> Item:
    document = found.get("info_document")
    return Item(text(found, "id"), _number(found, "status-code") or 0, text(found, "reason"), text(found, "state"),
                document if isinstance(document, dict) else {})


def listed(body: bytes) -> list[str]:
    """The ids of all jobs of a credential."""
    return [item.id for item in items(body) if item.id]


def delegations(body: bytes) -> list[str]:
    """The ids of the delegations of a credential."""
    found = many(decoded(body).get("delegation"))
    return [text(one, "id") for one in found if isinstance(one, dict)]


def text(found: Mapping[str, Any], name: str) -> str:
    """A member that is a text; of several the first."""
    values = [value for value in many(found.get(name)) if isinstance(value, str)]
    return values[0].strip() if values else ""


def _number(found: Mapping[str, Any], name: str) -> int | None:
    value = text(found, name)
    return int(value) if re.fullmatch(r"-?\d{1,15}", value) else None


def activity(item: Item) -> Activity:
    """The document of an answer to `info`."""
    found = item.document.get("ComputingActivity")
    about: Mapping[str, Any] = found if isinstance(found, dict) else {}
    states = [state.partition(":")[2] for state in many(about.get("State"))
              if isinstance(state, str) and state.startswith("arcrest:")]
    errors = tuple(error.strip()[:_LONGEST] for error in many(about.get("Error"))
                   if isinstance(error, str) and error.strip())
    return Activity(text(about, "Name"), states[0] if states else "", _number(about, "ExitCode"), errors,
                    text(about, "ExecutionNode"), _usage(about))


def _usage(about: Mapping[str, Any]) -> Usage | None:
    """Times are in seconds, memory in megabytes."""
    wall, cpu, memory = (_number(about, name) for name in
                         ("UsedTotalWallTime", "UsedTotalCPUTime", "UsedMainMemory"))
    if wall is None and cpu is None and memory is None:
        return None
    return Usage(float(wall or 0), float(cpu or 0), 1024 * (memory or 0))


def ended(token: str, handle: str, about: Activity, cancelled: bool) -> CeState:
    """The end of a job. A wrapper's own exit status speaks for itself; for other ends the CE's words are kept."""
    state, code = about.state, _exit_code(about)
    own = state == "FINISHED" or (state == "FAILED" and code is not None)
    status = (code or 0) if own else None
    reason = "; ".join(error for error in about.errors if not _OWN_END.fullmatch(error))
    if state == "KILLED":
        reason = "cancelled" if cancelled else reason or "cancelled at the CE"
    elif status is None:
        reason = reason or f"{state.lower()} at the CE, which does not say why"
    return CeState(token, Phase.ENDED, handle, status, about.node, reason[:_LONGEST], about.usage)


def _exit_code(about: Activity) -> int | None:
    """Its own, or the batch system's: the file that has the former may be lost."""
    if about.exit_code is not None and about.exit_code >= 0:
        return about.exit_code
    told = [int(found[1]) for error in about.errors if (found := _OWN_END.fullmatch(error))]
    return next((code if code < _SIGNALS else code - _SIGNALS + 128 for code in told), None)
