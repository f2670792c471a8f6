"""At a match: whether the credential of a job outlives it there, and what follows if not: a warning, or its end."""

from __future__ import annotations

from typing import NamedTuple

from wm.recovery.credentials import Credentials
from wm.store import Job
from wms.lifetime import response_s, too_short
from wms.messages.submission import Submit
from wms.resource import ComputingElement

RESPONSE = "GlueCEStateEstimatedResponseTime"


class Short(NamedTuple):
    """Why the credential does not suffice, "" if it does or the owner knows; `ends`: the job ends of it."""

    reason: str = ""
    ends: bool = False


NOT_SHORT = Short()


class Shortness:
    """`abort`: jobs whose credential may end before them end; else their owners are warned."""

    def __init__(self, credentials: Credentials, abort: bool) -> None:
        self._credentials = credentials
        self._abort = abort

    def of(self, job: Job, submit: Submit, needed_s: float, ce: ComputingElement, now: float) -> Short:
        """Of a job that is to go to the CE. An owner is warned once of each credential: at the first match, or at the
        first for which it was too short. One that is kept alive by renewal is short only when it has ended.
        """
        wait_s = response_s(ce.attributes.get(RESPONSE))
        life = self._credentials.life(submit, now, now + wait_s + needed_s)
        if life.renewable:
            return Short(life.ended(), True) if now >= life.given_up else NOT_SHORT
        reason = too_short(life.ends - now, needed_s, wait_s)
        if not reason or self._abort:
            return Short(reason, bool(reason))
        known = job.placed_at and too_short(life.ends - job.placed_at, needed_s)
        return NOT_SHORT if known else Short(reason)
