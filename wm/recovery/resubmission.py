"""What becomes of a job whose attempt failed: deep or shallow resubmission, or the end.

Not how the failure was recognised (`wms.faults`), nor the making of the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from wms.faults import Fault, Judgement

__all__ = ["Attempts", "Deep", "Fault", "GiveUp", "Judgement", "Limits", "Shallow", "decide", "delay_s", "replanned"]

FIRST_DELAY_S, LONGEST_DELAY_S = 10.0, 900.0
REPLANNED = "job will be replanned"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Resubmissions so far: `deep` in all, `shallow` since the last deep one; the last failure's `reason`.

    Both are the user's. `site_faults` are those that the infrastructure pays for, `replans` moves out of a queue.
    """

    deep: int = 0
    shallow: int = 0
    reason: str = ""
    site_faults: int = 0
    replans: int = 0

    def after(self, decision: Deep | Shallow | GiveUp) -> Attempts:
        """The counters once `decision` has been carried out."""
        match decision:
            case Deep(free=True) | Shallow(free=True):
                return replace(self, site_faults=self.site_faults + 1)
            case Deep():
                return replace(self, deep=self.deep + 1, shallow=0)
            case Shallow():
                return replace(self, shallow=self.shallow + 1)
        return self

    def moved(self) -> Attempts:
        """The counters once the job has been taken out of a queue."""
        return replace(self, replans=self.replans + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """The job's own limits (None: not in its description) and those of the site; the smaller one holds.

    No or a negative `retry` is 0; no or a negative shallow limit, on either side, disables shallow retries.
    """

    retry: int | None
    shallow_retry: int | None
    max_retry: int = 10
    max_shallow_retry: int = 10
    max_site_faults: int = 20
    max_replans: int = 5

    @property
    def shallow_enabled(self) -> bool:
        return self.shallow_retry is not None and min(self.shallow_retry, self.max_shallow_retry) >= 0

    @property
    def deep_enabled(self) -> bool:
        """The program may run more than once."""
        return min(self.retry or 0, self.max_retry) > 0


@dataclass(frozen=True, slots=True)
class Deep:
    """Try again although the payload may have run; consumes the deep counter unless it is `free`."""

    reason: str
    free: bool = False


@dataclass(frozen=True, slots=True)
class Shallow:
    """Try again: the payload never started; consumes the shallow counter unless it is `free`."""

    reason: str
    free: bool = False


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


def decide(attempts: Attempts, started: bool, judgement: Judgement, limits: Limits) -> Deep | Shallow | GiveUp:
    """What follows a failed attempt; `started`: its payload ever began. Used up retries end it.

    A fault of the infrastructure consumes nothing of the user's. It never makes a program run again that may not.
    """
    if not judgement.again:
        return GiveUp(attempts.reason or f"the failure is the {judgement.owner.value}'s: another attempt cannot help")
    allowed = limits.deep_enabled if started else limits.deep_enabled or limits.shallow_enabled
    if allowed and not judgement.counts:
        return _free(attempts.site_faults, started or not limits.shallow_enabled, judgement.owner, limits)
    if started:
        return _deep(attempts.deep, limits, "the payload had started")
    if not limits.shallow_enabled:
        return _deep(attempts.deep, limits, "shallow resubmission is disabled")
    return _shallow(attempts.shallow, limits)


def replanned(attempts: Attempts, limits: Limits) -> Shallow | GiveUp:
    """What follows when a job was taken out of a queue in which it was stuck."""
    if attempts.replans >= limits.max_replans:
        return GiveUp(f"hit max number of replans ({limits.max_replans})")
    return Shallow(f"{REPLANNED}: {attempts.replans + 1} of {limits.max_replans}", free=True)


def delay_s(failures: int, chance: float) -> float:
    """Seconds before the next attempt, after so many failed ones; none after the first, then doubled.

    `chance` in [0, 1) spreads it over half to one and a half of that: jobs that failed together come back apart.
    """
    if failures <= 1:
        return 0.0
    return min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(failures - 2, 30)) * (0.5 + chance)


def _free(count: int, deep: bool, owner: Fault, limits: Limits) -> Deep | Shallow | GiveUp:
    most = limits.max_site_faults
    if count >= most:
        return GiveUp(f"hit max number of attempts lost to the infrastructure ({most})")
    reason = f"lost to the {owner.value}, no retry is consumed: {count + 1} of {most}"
    return Deep(reason, free=True) if deep else Shallow(f"token still exists: {reason}", free=True)


def _deep(count: int, limits: Limits, reason: str) -> Deep | GiveUp:
    job, site = max(limits.retry or 0, 0), max(limits.max_retry, 0)
    both = f"RetryCount {job}, MaxRetryCount {site}"
    if count >= job:
        return GiveUp(f"hit job retry count ({job}): {both}")
    if count >= site:
        return GiveUp(f"hit max retry count ({site}): {both}")
    return Deep(f"{reason}: retry {count + 1} of {min(job, site)}")


def _shallow(count: int, limits: Limits) -> Shallow | GiveUp:
    job, site = limits.shallow_retry or 0, limits.max_shallow_retry
    both = f"ShallowRetryCount {job}, MaxShallowRetryCount {site}"
    if count >= job:
        return GiveUp(f"hit job shallow retry count ({job}): {both}")
    if count >= site:
        return GiveUp(f"hit shallow max retry count ({site}): {both}")
    return Shallow(f"token still exists: retry {count + 1} of {min(job, site)}")
