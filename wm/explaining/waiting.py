"""Why a job waits or stands in a queue of a CE, from what the broker found in its last cycle. Pure.

Not why nothing matches: that is `wm.matching.explain`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from wm.matching.cycle import Cause, Why
from wm.matching.data import named
from wm.matching.replicas import files_of
from wm.matching.request import Request
from wm.ordering.quotas import CE, USER, VO
from wm.supply.own import shown
from wms.reasons import counted, span
from wms.resource import ComputingElement

MOST_NAMED = 10
UNKNOWN = ", which does not answer now: how the job stands there is not known"
_QUEUE = (("GlueCEStateWaitingJobs", "waiting_jobs"), ("GlueCEStateRunningJobs", "running_jobs"),
          ("GlueCEStateFreeJobSlots", "free_job_slots"),
          ("GlueCEStateEstimatedResponseTime", "estimated_response_time_s"), ("GlueCEStateStatus", "status"))
"""What a CE says of its queue, and what it is called in the details."""


class Told(NamedTuple):
    """A code of `wms.reasons`, the words of its sentence, and figures for machines."""

    code: str
    words: Mapping[str, object] = {}
    details: Mapping[str, Any] = {}


def caused(cause: Cause, vo: str, limits: Mapping[str, int]) -> Told:
    """What the cycle found: a quota (of `limits` by name), no free slot, or that others come first."""
    ces, details = counted(cause.ces, "CE"), {"ces": cause.ces}
    if cause.why is Why.QUOTA:
        kind = cause.detail.partition(":")[0]
        limit = limits.get(cause.detail, 0)
        return Told(_QUOTAS[kind], {"ces": ces, "vo": vo, "limit": limit},
                    {**details, "quota": cause.detail, "limit": limit})
    if cause.why is Why.SLOT:
        return Told("no_slot", {"ces": ces}, details)
    return Told("turn", {"ces": ces}, details) if cause.ces else Told("matching")


_QUOTAS = {VO: "quota_vo", USER: "quota_user", CE: "quota_ce"}


def set_aside(cause: Cause, aside: Collection[str], trial: float | None, now: float) -> Told:
    """`aside` are the ids of CEs that are set aside for such jobs, `trial` when the first is tried (epoch s)."""
    return Told("set_aside", {"ces": counted(cause.ces, "CE"), "when": span((trial or now) - now)},
                {"ces": cause.ces, "set_aside": sorted(aside)[:MOST_NAMED], "trial": trial or now})


def asking(request: Request) -> Told:
    """Catalogues have yet to say where the data of a job is."""
    files = files_of(request.description)
    return Told("data_unknown", {"files": named(files), "be": "is" if len(files) == 1 else "are"},
                {"files": list(files)})


def queued(ce: str, says: ComputingElement | None, placed_at: float, now: float) -> Told:
    """A job at a CE, with what the CE says of its queue; `says` None: nothing was heard of the CE for long."""
    if says is None:
        return Told("in_queue_of_ce", {"ce": ce, "since": span(now - placed_at), "queue": UNKNOWN},
                    {"ce": ce, "since": placed_at, "unknown": True})
    attributes = shown(says.attributes)
    told = {short: attributes[name] for name, short in _QUEUE if name in attributes}
    return Told("in_queue_of_ce", {"ce": ce, "since": span(now - placed_at), "queue": _queue(told)},
                {"ce": ce, "since": placed_at, **told})


def _queue(told: Mapping[str, Any]) -> str:
    jobs, wait = told.get("waiting_jobs"), told.get("estimated_response_time_s")
    parts = [f"{counted(jobs, 'job')} waiting in its queue"] if isinstance(jobs, int) else []
    parts += [f"about {span(wait)} before a new one would start"] if isinstance(wait, (int, float)) else []
    return f", with {' and '.join(parts)}" if parts else ""
