"""The tables of the gallery together."""

from __future__ import annotations

from collections.abc import Mapping

from tests.gallery import (
    attempts,
    certificates,
    delegations,
    jobs,
    memberships,
    policies,
    proxies,
    requests,
    sandboxes,
    tokens,
)
from tests.gallery.case import Case

ROOMS: Mapping[str, tuple[Case, ...]] = {
    "Certificates": certificates.CASES, "Proxies": proxies.CASES, "VOMS attributes": memberships.CASES,
    "Tokens": tokens.CASES, "Delegations": delegations.CASES, "Jobs and notifications of others": jobs.CASES,
    "Attempts": attempts.CASES, "Sandboxes": sandboxes.CASES, "Requests": requests.CASES, "Policy": policies.CASES}
CASES = tuple(case for cases in ROOMS.values() for case in cases)
