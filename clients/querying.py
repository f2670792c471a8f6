"""What lb-query asks and tells."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from clients import lb_show
from clients.bookkeeping import Bookkeeping, limit, variable
from clients.errors import ArgumentWrong, FileUnreadable
from wms.event import Event
from wms.operations.bookkeeping import EventQuery, JobQuery
from wms.ulm import to_ulm

Policy = Literal["none", "limited", "all"]
POLICIES = ("none", "limited", "all")


def read(file: str) -> str:
    """Lines of conditions from a file, or from standard input (-)."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(f"The file {file} cannot be read: {error}", path=file) from None


def policy(given: str | None) -> Policy:
    """As given, else QUERY_RESULTS; without either the first page and those that follow."""
    found = given or variable(os.environ, "QUERY_RESULTS").lower() or "limited"
    if found not in POLICIES:
        raise ArgumentWrong(f"QUERY_RESULTS is none, limited or all, not {found!r}.")
    return cast("Policy", found)


def jobs(book: Bookkeeping, lines: str, query: str, flags: tuple[str, ...], policy: Policy,
         most: int | None) -> list[dict[str, Any]]:
    """The status records of the jobs that were found."""
    asked = JobQuery(query=query, lines=lines, flags=flags, limit=limit("QUERY_JOBS_LIMIT", most), policy=policy)
    return list(book.pages("lb.query_jobs", asked))


def events(book: Bookkeeping, lines: str, query: str, about_events: str, policy: Policy,
           most: int | None) -> list[dict[str, Any]]:
    """The events that were found."""
    asked = EventQuery(query=query, lines=lines, event_lines=about_events, limit=limit("QUERY_EVENTS_LIMIT", most),
                       policy=policy)
    return list(book.pages("lb.query_events", asked))


def jobs_text(found: Sequence[dict[str, Any]], *, whole: bool) -> str:
    """A line a job, or all its fields; and how many there are."""
    told = [lb_show.status(one, time.ctime) if whole else lb_show.job_line(one) for one in found]
    return "\n".join([*told, "", f"Found {len(found)} jobs"])


def events_text(found: Sequence[dict[str, Any]]) -> str:
    """A line of ULM an event."""
    return "\n".join(to_ulm(msgspec.convert(one, Event)).rstrip("\n") for one in found)
