"""What lb-query asks and tells."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast

import msgspec

from clients import lb_show
from clients.bookkeeping import variable
from clients.errors import ArgumentWrong, FileUnreadable
from wms.event import Event
from wms.ulm import to_ulm

Policy = Literal["none", "limited", "all"]
POLICIES = ("none", "limited", "all")
_EMPTY_LINE = re.compile(r"(?<=\n)[ \t\r]*\n")


def read(file: str) -> str:
    """The text of a file, or of standard input (-)."""
    try:
        return sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FileUnreadable(f"The file {file} is not UTF-8 text.", path=file) from None
    except OSError as error:
        raise FileUnreadable(f"The file {file} cannot be read: {error.strerror}", path=file) from None


def in_two(lines: str) -> tuple[str, str]:
    """Conditions on jobs and, after an empty line, on their events."""
    jobs, *events = _EMPTY_LINE.split(lines.lstrip("\r\n"), maxsplit=1)
    return jobs, "".join(events)


def policy(given: str | None, environment: Mapping[str, str] = os.environ) -> Policy:
    """As given, else QUERY_RESULTS; without either what was found up to the limit."""
    found = given or variable(environment, "QUERY_RESULTS").lower() or "limited"
    if found not in POLICIES:
        raise ArgumentWrong(f"QUERY_RESULTS is none, limited or all, not {found!r}.")
    return cast("Policy", found)


def jobs_text(found: Sequence[dict[str, Any]], *, whole: bool) -> str:
    """A line a job, or all its fields; and how many there are."""
    told = [lb_show.status(one, time.ctime) if whole else lb_show.job_line(one) for one in found]
    return "\n".join([*told, "", f"Found {len(found)} jobs"])


def ids_text(found: Sequence[dict[str, Any]]) -> str:
    """Identifiers, one a line."""
    return "\n".join(one["jobId"] for one in found)


def events_text(found: Sequence[dict[str, Any]]) -> str:
    """A line of ULM an event."""
    return "\n".join(to_ulm(msgspec.convert(one, Event)).rstrip("\n") for one in found)
