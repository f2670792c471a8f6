"""What to do with a waiting job now: `plan` is pure, the snapshot, the time and chance are its arguments.

Not the doing, and not how matching works.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from wm.matching.matchmaker import Matches, match, why
from wm.matching.request import SITE, Request, Site
from wm.matching.selection import Chance, select
from wm.supply.supermarket import Snapshot
from wms.resource import ComputingElement


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's settings: how long until the next try, how long a request may wait (both seconds)."""

    match_retry_s: float = 300.0
    expiry_s: float = 86_400.0
    site: Site = SITE


POLICY = Policy()
Matching: TypeAlias = "Callable[[Request, Snapshot, float, Site], Matches]"


@dataclass(frozen=True, slots=True)
class Planned:
    """The job goes to `ce`, chosen among `count` that match."""

    ce: ComputingElement
    rank: float
    count: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Try again at `until` (epoch s), or as soon as the supermarket changes."""

    reason: str
    until: float


@dataclass(frozen=True, slots=True)
class Refuse:
    reason: str


def plan(request: Request, snapshot: Snapshot, now: float, rng: Chance, policy: Policy = POLICY,
         matching: Matching = match) -> Planned | Wait | Refuse:
    """Where the job goes, or why not and until when. `matching` may remember answers for requests that are alike."""
    deadline = _deadline(request, policy)
    if now >= deadline:
        return Refuse("request expired")
    if unknown := unknown_pin(request, snapshot):
        return Refuse(f"unknown resource: SubmitTo names {unknown}, which is not in the information system")
    matches = matching(request, snapshot, now, policy.site)
    if not matches.ranked:
        return Wait(why(matches), min(now + policy.match_retry_s, deadline))
    return _planned(matches, rng)


def _deadline(request: Request, policy: Policy) -> float:
    expiry = request.description.expiry_time
    return request.submitted + policy.expiry_s if expiry is None else expiry


def unknown_pin(request: Request, snapshot: Snapshot) -> str:
    """The CE that SubmitTo names and nobody knows; before the first purchase all are thought to be known."""
    pin = request.description.submit_to
    known = not pin or not snapshot.version or pin in snapshot.ces or pin in snapshot.void
    return "" if known else pin


def _planned(matches: Matches, rng: Chance) -> Planned:
    description = matches.request.description
    chosen = select(matches.ranked, rng, description.fuzzy_rank, description.fuzzy_factor)
    return Planned(chosen.ce, chosen.rank, len(matches.ranked))
