"""What becomes of a job whose attempt failed: deep or shallow resubmission, or the end.

Not how the failure was recognised, nor the making of the next attempt.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum


class Fault(StrEnum):
    """Who owns a failure. Another attempt cannot heal what is the user's or the credential's."""

    SITE = "site"
    NETWORK = "network"
    SERVICE = "service"
    USER = "user"
    CREDENTIAL = "credential"


HOPELESS = frozenset({Fault.USER, Fault.CREDENTIAL})


@dataclass(frozen=True, slots=True)
class Attempts:
    """Resubmissions so far: `deep` in all, `shallow` since the last deep one; the last failure's `reason`."""

    deep: int = 0
    shallow: int = 0
    reason: str = ""

    def after(self, decision: Deep | Shallow | GiveUp) -> Attempts:
        """The counters once `decision` has been carried out."""
        if isinstance(decision, Deep):
            return replace(self, deep=self.deep + 1, shallow=0)
        return replace(self, shallow=self.shallow + 1) if isinstance(decision, Shallow) else self


@dataclass(frozen=True, slots=True)
class Limits:
    """The job's own limits (None: not in its description) and those of the site; the smaller one holds.

    No or a negative `retry` is 0; no or a negative shallow limit, on either side, disables shallow retries.
    """

    retry: int | None
    shallow_retry: int | None
    max_retry: int = 10
    max_shallow_retry: int = 10

    @property
    def shallow_enabled(self) -> bool:
        return self.shallow_retry is not None and min(self.shallow_retry, self.max_shallow_retry) >= 0


@dataclass(frozen=True, slots=True)
class Deep:
    """Try again although the payload may have run; consumes the deep counter."""

    reason: str


@dataclass(frozen=True, slots=True)
class Shallow:
    """Try again: the payload never started; consumes the shallow counter."""

    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    reason: str


def decide(attempts: Attempts, started: bool, fault: Fault, limits: Limits) -> Deep | Shallow | GiveUp:
    """What follows a failed attempt; `started`: its payload ever began. Used up shallow retries end it."""
    if fault in HOPELESS:
        return GiveUp(attempts.reason or f"the failure is the {fault.value}'s: another attempt cannot help")
    if started:
        return _deep(attempts.deep, limits, "the payload had started")
    if not limits.shallow_enabled:
        return _deep(attempts.deep, limits, "shallow resubmission is disabled")
    return _shallow(attempts.shallow, limits)


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
