"""What a job wrapper's standard output says of its job, when the outcome did not come by the network.

A table of phrases and one pure function; not here: what is done about it.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

import msgspec

__all__ = ["LAST_WORD", "PHRASES", "Outcome", "classify"]

Kind: TypeAlias = Literal["done", "resubmit", "abort"]


class Outcome(msgspec.Struct, frozen=True):
    """`exit_code` is the job's own, -1 if it is not known; `reason` is for the user."""

    kind: Kind
    exit_code: int
    reason: str


PHRASES: tuple[tuple[str, Kind], ...] = (
    ("not found or unreadable", "abort"),
    ("Job killed", "abort"),
    ("Working directory not writable", "resubmit"),
    ("GLOBUS_LOCATION undefined", "resubmit"),
    ("/etc/globus-user-env.sh", "resubmit"),
    ("Cannot download", "resubmit"),
    ("Cannot upload", "resubmit"),
    ("Cannot take shallow resubmission token", "resubmit"),
    ("prologue failed", "resubmit"),
    ("epilogue failed", "resubmit"),
    ("Cannot create directory", "resubmit"),
    ("Job has been terminated", "resubmit"),
    ("No *ftp", "resubmit"),
    ("Cannot find edg-rm", "resubmit"),
    ("Cannot find mpirun", "resubmit"),
    ("Cannot find apptainer", "resubmit"),
    ("Cannot find the container image", "resubmit"),
    ("Cannot run the container", "resubmit"),
    ("Cannot copy the working directory", "resubmit"),
)
"""The first phrase of this order that occurs wins, wherever it stands in the text."""

FILE_MISSING = "File not available."
NOTHING_USEFUL = (
    "Standard output does not contain useful data."
    "Cannot read JobWrapper output, both from Condor and from Maradona. "
)
LAST_WORD = "wms-outcome: "
"""Begins a line with the outcome as JSON, the same as is sent to the service."""
_DECIDES_NOTHING = ("Note: ", LAST_WORD)
_JOB_EXIT = re.compile(r"^job exit status = (-?\d+)", re.MULTILINE)
_WRAPPER_EXIT = re.compile(r"^jw exit status = -?\d+", re.MULTILINE)


def classify(stdout: str | None) -> Outcome:
    """The verdict on a wrapper's output; None: there is no such file. Lines `Note: ...` and the outcome as JSON decide
    nothing."""
    if stdout is None:
        return Outcome("resubmit", -1, FILE_MISSING)
    lines = [line for line in stdout.splitlines() if not line.startswith(_DECIDES_NOTHING)]
    return _failure(lines) or _success("\n".join(lines))


def _failure(lines: list[str]) -> Outcome | None:
    for phrase, kind in PHRASES:
        for line in lines:
            if phrase in line:
                return Outcome(kind, -1, line.strip())
    return None


def _success(text: str) -> Outcome:
    if found := _JOB_EXIT.search(text):
        code = int(found[1])
        return Outcome("done", code, "Warning: job exit code != 0" if code else "Job terminated successfully")
    if _WRAPPER_EXIT.search(text):
        return Outcome("done", -1, "Job terminated, its exit code is not known")
    return Outcome("resubmit", -1, NOTHING_USEFUL)
