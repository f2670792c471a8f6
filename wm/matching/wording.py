"""Sentences for users about what a lane waits for, where the figures of a match are not asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from wm.matching.cycle import Cause, Why
from wm.matching.matchmaker import NO_MATCH, NO_RANK

SENTENCES: Mapping[Why, str] = {
    Why.MATCH: NO_MATCH,
    Why.RANK: NO_RANK,
    Why.ASIDE: "set aside after failures of such jobs: {ces} of {ces} computing elements that match",
    Why.QUOTA: "the quota {detail} is used up; {ces} computing elements match",
    Why.SLOT: "no free slot: all {ces} computing elements that match are busy",
    Why.TURN: "",
}


def sentence(cause: Cause) -> str:
    """Why a job waits; "" when it is about to go."""
    return SENTENCES[cause.why].format(ces=cause.ces, detail=cause.detail)
