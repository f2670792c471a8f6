"""What holds for a request by itself, whatever matches: how long it may wait, which CE it names. Pure.

Not the matching, nor the cycle that gives jobs to CEs.
"""

from __future__ import annotations

from dataclasses import dataclass

from wm.matching.request import SITE, Request, Site
from wm.supply.supermarket import Snapshot


@dataclass(frozen=True, slots=True)
class Policy:
    """The site's settings: how long a request may wait (s), and what it asks of every match."""

    expiry_s: float = 86_400.0
    site: Site = SITE


def deadline(request: Request, policy: Policy) -> float:
    """When the request expires (epoch s): as its description says, or by its age."""
    expiry = request.description.expiry_time
    return request.submitted + policy.expiry_s if expiry is None else expiry


def unknown_pin(request: Request, snapshot: Snapshot) -> str:
    """The CE that SubmitTo names and nobody knows; before the first purchase all are thought to be known."""
    pin = request.description.submit_to
    known = not pin or not snapshot.version or pin in snapshot.by_destination or pin in snapshot.void
    return "" if known else pin


def refusal(request: Request, snapshot: Snapshot) -> str:
    """Why no match will ever come, "" if one may."""
    unknown = unknown_pin(request, snapshot)
    return f"unknown resource: SubmitTo names {unknown}, which is not in the information system" if unknown else ""
