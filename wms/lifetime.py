"""How long a credential has to live for its job: read from the job's own Requirements.

Not what follows when it ends before: that is said where jobs are taken (ns.lifetime) and placed. Pure.
"""

from __future__ import annotations

from wms.jdl.ast import Literal, Node, Operation, Select, walk
from wms.jdl.description import JobDescription

DEFAULT_NEED_S = 3600.0
"""Assumed for a job that does not say how long it runs."""
_MINUTES = frozenset({"gluecepolicymaxwallclocktime", "gluecepolicymaxcputime",
                      "gluecepolicymaxobtainablewallclocktime", "gluecepolicymaxobtainablecputime"})


def needed_s(description: JobDescription) -> float:
    """Seconds the job may run: the longest time limit it demands of a CE (GLUE limits are in minutes)."""
    asked = [minutes for node, _ in walk(description.requirements) for minutes in _demand(node)]
    return max([60.0 * minutes for minutes in asked], default=DEFAULT_NEED_S)


def _demand(node: Node) -> list[float]:
    """[N] for `other.<time limit> > N` and `>= N`, else []."""
    match node:
        case Operation(operators=(">" | ">=",), operands=(Select(name=name), Literal(value=value))):
            if name.lower() in _MINUTES and isinstance(value, int | float) and not isinstance(value, bool):
                return [float(value)]
            return []
        case _:
            return []
