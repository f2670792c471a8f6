"""What the commands of HTCondor print: job ids, ads as JSON, and errors, whose they are. Pure.

Not here: running them (commands).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

__all__ = ["Ad", "Verdict", "ads", "handle_of", "handles", "verdict", "words"]

Ad: TypeAlias = dict[str, Any]
Verdict: TypeAlias = Literal["unavailable", "later", "refused"]

_RANGE = re.compile(r"^(\d+)\.(\d+) - (?:(\d+)\.)?(\d+)\s*$", re.MULTILINE)
_LONGEST = 1000

_ERRORS: tuple[tuple[str, Verdict], ...] = (
    (r"MAX_JOBS_(SUBMITTED|PER_OWNER|PER_SUBMISSION)|would exceed .*limit|too many jobs|jobs? limit", "later"),
    (r"fail(ed|ure) to (connect|communicate|fetch ads|authenticate)|(unable to|can'?t|cannot|couldn'?t) (connect"
     r"|contact|locate|find (the )?address)|timed? ?out|\b(SECMAN|AUTHENTICATE|CEDAR|QMGMT)\b|local queue manager"
     r"|connection (refused|closed|reset)|no space left on device", "unavailable"),
)
"""Read from above; what no row knows is the refusal of this submission."""
_COMPILED = tuple((re.compile(pattern, re.IGNORECASE), outcome) for pattern, outcome in _ERRORS)


def handles(stdout: str) -> list[str]:
    """Job ids in the order of the items, from `condor_submit -terse`: lines `CLUSTER.FIRST - CLUSTER.LAST`."""
    return [f"{cluster}.{proc}" for cluster, first, _, last in _RANGE.findall(stdout)
            for proc in range(int(first), int(last) + 1)]


def ads(stdout: bytes) -> list[Ad]:
    """The ads of `-json`; nothing at all means none. Raises ValueError when it is something else."""
    text = stdout.decode("utf-8", "replace").strip()
    found = json.loads(text, strict=False) if text else []
    if not isinstance(found, list) or not all(isinstance(ad, dict) for ad in found):
        raise ValueError("no list of ads")
    return found


def handle_of(ad: Mapping[str, Any]) -> str:
    return f"{ad.get('ClusterId', 0)}.{ad.get('ProcId', 0)}"


def verdict(text: str) -> Verdict:
    """What an error of condor_submit means: the CE does not answer, it wants no more jobs now, or not this one."""
    return next((outcome for pattern, outcome in _COMPILED if pattern.search(text)), "refused")


def words(stdout: bytes, stderr: bytes) -> str:
    """What a command that failed said, on one line."""
    text = (stderr.strip() or stdout.strip()).decode("utf-8", "replace")
    return " ".join(text.split())[-_LONGEST:] or "(no answer)"
