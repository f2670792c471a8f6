"""What `wmsd renewals` says: each credential that is kept alive, when it is tried next, what went wrong last.

Reads the tables, changes nothing; no daemon need run.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import sqlalchemy as sa

from proxyrenewal import store
from proxyrenewal.outcomes import moment
from proxyrenewal.schedule import HOPELESS
from proxyrenewal.store import Registration

HEAD = ("CREDENTIAL", "KIND", "OWNER", "SERVER", "JOBS", "ENDS", "NEXT", "RENEWED", "FAILED", "LAST ERROR")


class Told(NamedTuple):
    """What to print, and the exit status."""

    text: str
    status: int = 0


def renewals(engine: sa.Engine, *, failing: bool = False, number: int = 100, as_json: bool = False) -> Told:
    """The registrations whose time comes first; `failing`: those alone whose last attempt failed."""
    with engine.connect() as conn:
        found = store.listing(conn, number, failing)
        jobs = store.numbers_of_jobs(conn, [entry.credential for entry in found])
    rows = [_summary(entry, jobs.get(entry.credential, 0)) for entry in found]
    if as_json:
        return Told(json.dumps({"result": "success", "renewals": rows}))
    return Told("\n".join(_columns([HEAD, *(_line(row) for row in rows)])))


def _summary(entry: Registration, jobs: int) -> dict[str, Any]:
    """`next` is 0 for one that nobody can renew."""
    hopeless = entry.failures == HOPELESS
    return {"credential": entry.credential, "kind": entry.kind, "owner": entry.owner, "server": entry.myproxy,
            "jobs": jobs, "not_after": entry.not_after, "next": 0.0 if hopeless else entry.next_try,
            "renewals": entry.renewals, "failures": 0 if hopeless else entry.failures, "renewable": not hopeless,
            "warned": entry.warned, "last_error": entry.last_error}


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    return (row["credential"][:12], row["kind"], row["owner"], row["server"] or "-", str(row["jobs"]),
            moment(row["not_after"]), moment(row["next"]) if row["renewable"] else "never", str(row["renewals"]),
            str(row["failures"]), row["last_error"] or "-")


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(word.ljust(width) for word, width in zip(row, widths, strict=True)).rstrip() for row in rows]
