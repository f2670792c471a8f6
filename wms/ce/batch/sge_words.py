"""The words of Grid Engine: its job states, ends, how it refuses; tables with their readers. Pure.

Not here: the formats of its commands (sge).
"""

from __future__ import annotations

import re

from wms.ce import Phase
from wms.ce.batch.dialect import Refusal

__all__ = ["NOTHING_LEFT", "SILENT", "ending", "kilobytes", "phase_of", "refusal", "seconds"]

_LETTERS = frozenset("cdEhrRsStTNPwqxz")

_STATES: tuple[tuple[str, Phase, str], ...] = (
    ("E", Phase.HELD, "held: in error state ({})"),
    ("z", Phase.ENDED, ""),
    ("d", Phase.RUNNING, ""),
    ("sSTNP", Phase.HELD, "held: suspended ({})"),
    ("rtx", Phase.RUNNING, ""),
    ("h", Phase.HELD, "held ({})"),
    ("w", Phase.QUEUED, ""),
)
"""`state` of qstat(1) is a set of letters; the first row with one of them counts: `Eqw`, `hqw`, `Rr`, `dr`, `dqw`."""

SILENT = (
    "unable to contact qmaster", "can't contact qmaster", "unable to send message to qmaster", "got send error",
    "got send timeout", "commlib error", "connection refused", "no route to host", "can't resolve host",
    "cannot get configuration from qmaster",
)

_REFUSALS: tuple[tuple[str, Refusal], ...] = (
    ("|".join(map(re.escape, SILENT)), Refusal.SILENT),
    (r"too many (active )?jobs|exceeds? .*job.* limit|max_u_jobs|max_jobs|only .* jobs are allowed", Refusal.NOW),
    (r"unknown queue|does not exist|unknown resource|unknown option|no suitable queues|cannot run in|no access to"
     r"|has no permission|access denied|is not allowed|job violates|invalid (option|value)", Refusal.FINAL),
)
"""The first row with a match counts, case ignored; anything else is `NOW`."""

NOTHING_LEFT = re.compile(r"does not exist|already in deletion|has (deleted|registered)", re.IGNORECASE)
"""What qdel says of a job that is over, and of those that are not."""

_SIZES = {"": 1, "B": 1, "K": 1024, "M": 1024 ** 2, "G": 1024 ** 3, "T": 1024 ** 4}


def phase_of(state: str) -> tuple[Phase, str] | None:
    """Phase and words of a set of letters; None if there is one that nobody knows."""
    if not state or not _LETTERS.issuperset(state):
        return None
    for letters, phase, words in _STATES:
        if set(letters) & set(state):
            return phase, words.format(state)
    return Phase.QUEUED, ""


def ending(failed: str, words: str) -> tuple[str, bool]:
    """Why a job did not end by itself, by `failed` of accounting(5), and whether its exit status is the script's own.

    37: over a limit; 100: a signal ended the script.
    """
    if failed == "37":
        return f"time limit reached, or that of CPU time or memory ({words})", False
    if failed in ("", "0", "100"):
        return "", failed != "100"
    return f"the CE could not run it (failed {failed}: {words})", False


def refusal(said: str) -> Refusal:
    """What a failed qsub means."""
    return next((meaning for pattern, meaning in _REFUSALS if re.search(pattern, said, re.IGNORECASE)), Refusal.NOW)


def seconds(text: str) -> float:
    """`12`, `12.5s`, `1:02:03`; 0 for INFINITY and anything else."""
    found = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)s?", text.strip(), re.ASCII)
    hours, minutes, rest = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0)
    return 3600 * hours + 60 * minutes + rest


def kilobytes(text: str) -> int:
    """The largest memory of getrusage, in kilobytes: `4400`; 8.1 takes them for bytes and says `4.297KB`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", text.strip(), re.ASCII)
    return int(float(found[1]) * _SIZES[found[2]]) if found else 0
