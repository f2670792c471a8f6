"""How long a credential has to live for its job: read from the job's own Requirements.

Not what follows when it ends before: that is said where jobs are taken (ns.lifetime) and placed. Pure.
"""

from __future__ import annotations

from wms.jdl.ast import Literal, Node, Operation, Select, walk
from wms.jdl.description import JobDescription

DEFAULT_NEED_S = 3600.0
"""Assumed for a job that does not say how long it runs."""
LONGEST_WAIT_S = 777_777.0
"""What information providers say of a queue of which they know nothing, or more."""
_MINUTES = frozenset({"gluecepolicymaxwallclocktime", "gluecepolicymaxcputime",
                      "gluecepolicymaxobtainablewallclocktime", "gluecepolicymaxobtainablecputime"})


def needed_s(description: JobDescription) -> float:
    """Seconds the job may run: the longest time limit it demands of a CE (GLUE limits are in minutes)."""
    asked = [minutes for node, _ in walk(description.requirements) for minutes in _demand(node)]
    return max([60.0 * minutes for minutes in asked], default=DEFAULT_NEED_S)


def response_s(estimated: object) -> float:
    """Seconds before a job starts at a CE, by its GlueCEStateEstimatedResponseTime; 0 for what tells nothing."""
    known = isinstance(estimated, int | float) and 0 < estimated < LONGEST_WAIT_S
    return float(estimated) if known and isinstance(estimated, int | float) else 0.0


def too_short(left_s: float, needed: float, wait_s: float = 0.0) -> str:
    """A sentence if a credential that cannot be renewed ends before a job does that first waits so long, else ""."""
    if left_s >= wait_s + needed:
        return ""
    queue = f" after {_hours(wait_s)} in the queue" if wait_s else ""
    return (f"credential too short: it ends in {_hours(left_s)} and cannot be renewed, "
            f"but the job may need {_hours(needed)}{queue}")


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h"


def _demand(node: Node) -> list[float]:
    """[N] for `other.<time limit> > N` and `>= N`, else []."""
    match node:
        case Operation(operators=(">" | ">=",), operands=(Select(name=name), Literal(value=value))):
            if name.lower() in _MINUTES and isinstance(value, int | float) and not isinstance(value, bool):
                return [float(value)]
            return []
        case _:
            return []
