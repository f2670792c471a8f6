"""How long a job may be on its way to, or at, a computing element before somebody looks at it. Pure.

When a waiting job ends because its time or its credential is over is here too; not the ending.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

PROXY_NAME, TOKEN_NAME = "proxy", "token"


class Life(NamedTuple):
    """Of a credential, which is `what`: its end and, later if it can be renewed, when a job that waits is given up
    (epoch s)."""

    ends: float
    given_up: float
    renewable: bool = False
    what: str = PROXY_NAME

    def ended(self) -> str:
        """The sentence for a job that it took with it."""
        when = datetime.fromtimestamp(self.ends, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        how = "was not renewed" if self.renewable else "could not be renewed"
        return f"{self.what} expired: it ended at {when} and {how}"


class Step(Enum):
    """What to do with a placed job now."""

    WAIT = "wait"
    MOVE = "move"
    LOST = "lost"


class Look(NamedTuple):
    """`step` now, and the next look at `due` (epoch s)."""

    step: Step
    due: float


class Patience(NamedTuple):
    """Seconds: `queued_s` until a job that lets itself be moved is stuck (0: none is moved), `attempt_s` until an
    attempt whose end nobody told can report no more."""

    queued_s: float
    attempt_s: float


def look(placed_at: float, movable: bool, now: float, patience: Patience) -> Look:
    """At a job that was placed and is not over. Whether its program has begun is for others to say."""
    lost, period = placed_at + patience.attempt_s, patience.queued_s
    if now >= lost:
        return Look(Step.LOST, now + patience.attempt_s)
    if not movable or period <= 0:
        return Look(Step.WAIT, lost)
    if now < placed_at + period:
        return Look(Step.WAIT, min(lost, placed_at + period))
    return Look(Step.MOVE, min(lost, now + period))


def over(deadline: float, life: Life, now: float) -> str:
    """Why a job that waits until `deadline` (epoch s) ends now; "" if it may wait on."""
    if now >= deadline:
        return "request expired"
    return life.ended() if now >= life.given_up else ""
