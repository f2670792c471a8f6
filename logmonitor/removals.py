"""When a payload that was to be killed and is still there is killed again, and when that is given up. Pure."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum

__all__ = ["Removals", "Step"]


class Step(Enum):
    """What to do about one payload now."""

    AGAIN = "again"
    GIVE_UP = "give up"


class Removals:
    """Of one CE: `every_s` seconds after it was first seen alive a payload is killed again, `most` times."""

    def __init__(self, every_s: float, most: int) -> None:
        self._every_s = every_s
        self._most = most
        self._tried: dict[str, tuple[int, float]] = {}

    def steps(self, alive: Collection[str], now: float) -> dict[str, Step]:
        """What is due at `now` (epoch s), by token of those that are `alive` though they should not be."""
        self._tried = {token: self._tried.get(token, (0, now)) for token in alive}
        due = {token: tries for token, (tries, at) in self._tried.items() if now - at >= self._every_s}
        self._tried |= {token: (tries + 1, now) for token, tries in due.items()}
        return {token: Step.AGAIN if tries < self._most else Step.GIVE_UP for token, tries in due.items()}
