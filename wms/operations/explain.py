"""Operations that tell why jobs are not running. The codes are in `wms.reasons`."""

from __future__ import annotations

from typing import Any

from wms.operations.row import Operation, Record, ns

MOST_ASKED = 100
"""Jobs of one question."""


class Clause(Record, frozen=True):
    """One of the things asked of a CE, in the order they are looked at.

    `whose`: user, site, data or information. `seen` CEs were left by those before it, `left` by it as well. On
    `undefined` and `errors` of those it refused it was so. `without` more CEs would match if it were not asked.
    `alone` CEs pass it, whatever the others say.
    """

    clause: str
    whose: str
    seen: int
    left: int
    without: int = 0
    undefined: int = 0
    errors: int = 0
    alone: int = 0


class Reason(Record, frozen=True):
    """Why a job is not running, as of `at`; it is looked at again at `next_try` (epoch s), 0: nobody knows.

    `code` is one of the table of reasons, `state` its usual state; `details` depend on the code.
    """

    job: str
    state: str
    code: str
    sentence: str
    at: float
    next_try: float = 0.0
    clauses: tuple[Clause, ...] = ()
    details: dict[str, Any] = {}


class Asked(Record, frozen=True):
    """A job identifier; of a node that may not have been released yet, that of its compound as well."""

    job: str
    parent: str = ""


class ReasonsRequest(Record, frozen=True):
    jobs: tuple[Asked, ...]


class ReasonList(Record, frozen=True):
    """Of those that were asked for; jobs that are unknown here, or somebody else's, are left out."""

    reasons: tuple[Reason, ...]


ROWS: tuple[Operation, ...] = (
    ns("reasons", "POST", "/reasons", "user", "Why jobs are not running, up to 100 of the caller's at once.",
        request=ReasonsRequest, reply=ReasonList, action="read"),
    ns("reason", "GET", "/jobs/{unique}/reason", "owner",
        "Why a job is not running; `parent` names the compound of a node that is not released yet.",
        reply=Reason, query=("parent",)),
)
