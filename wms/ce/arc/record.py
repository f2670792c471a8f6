"""What is remembered of a job at an ARC CE, in the spool that all processes share. Not here: when."""

from __future__ import annotations

import msgspec

__all__ = ["Delegated", "Entry", "Parting"]


class Entry(msgspec.Struct, frozen=True):
    """One job. No `handle`: it was about to be described to the CE, which may know it by its name.

    `digest`: of its script as uploaded; `whole`: all its files are there, so it may have started. `files` are those of
    its credentials.
    """

    credential: str
    digest: str
    handle: str = ""
    whole: bool = False
    cancelled: bool = False
    files: tuple[str, ...] = ()


class Parting(msgspec.Struct, frozen=True):
    """A job that we have forgotten and the CE has not; without a `handle` it goes by its name."""

    credential: str
    handle: str = ""


class Delegated(msgspec.Struct, frozen=True):
    """The delegation of one credential: its id at the CE, and its end in epoch seconds."""

    id: str
    not_after: float
