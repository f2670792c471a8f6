"""When a credential is to be renewed, and when a failed renewal is tried again.

Decisions only: who asks the MyProxy server is `renewer`, what is remembered is `store`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """Lengths in seconds. `limit_s` is the remaining life below which renewal does not wait any more:
    the half hour that a batch system wants, and five minutes of clock skew."""

    lifetime_s: float = 36000.0
    share: float = 0.25
    limit_s: float = 2100.0
    jitter: float = 0.1
    first_retry_s: float = 300.0
    longest_retry_s: float = 3600.0
    shortest_retry_s: float = 60.0


POLICY = Policy()


@dataclass(frozen=True, slots=True)
class Due:
    """Try at `at` (epoch seconds)."""

    at: float
    reason: str


@dataclass(frozen=True, slots=True)
class Expired:
    """The credential cannot be renewed any more: forget it."""

    reason: str


def next_renewal(not_after: float, now: float, rng: random.Random, policy: Policy = POLICY) -> Due | Expired:
    """When to renew a credential that ends at `not_after`: when a quarter of the usual life remains.

    For a short credential the part of that quarter above the limit shrinks until it fits. The wait is
    spread by the jitter so that credentials made together are not renewed together.
    """
    remaining = not_after - now
    if remaining <= 0:
        return Expired(_ended(not_after, now))
    if remaining <= policy.limit_s:
        return Due(now, f"only {_minutes(remaining)} remain")
    spare = max(policy.lifetime_s * policy.share - policy.limit_s, 0.0)
    while policy.limit_s + spare > remaining:
        spare *= policy.share
    at = now + (remaining - policy.limit_s - spare) * _spread(rng, policy)
    return Due(min(at, not_after - policy.limit_s), f"{_minutes(policy.limit_s + spare)} before its end")


def after_success(not_after: float, now: float, rng: random.Random, policy: Policy = POLICY) -> Due | Expired:
    """When to renew a credential that has just been renewed.

    Like `next_renewal`, but never at once: a server whose own credential is near its end gives a short one
    each time it is asked.
    """
    due = next_renewal(not_after, now, rng, policy)
    soonest = now + min(policy.first_retry_s, max((not_after - now) / 2, policy.shortest_retry_s))
    if isinstance(due, Expired) or due.at >= soonest:
        return due
    return Due(min(soonest, not_after), f"the renewed credential lasts only {_minutes(not_after - now)}")


def after_failure(not_after: float, failures: int, now: float, rng: random.Random,
                  policy: Policy = POLICY) -> Due | Expired:
    """When to try again after the `failures`-th failure in a row (from 1).

    The wait doubles from five minutes to an hour, but the last `limit_s` always see an attempt, and within
    them attempts become denser as the end approaches.
    """
    remaining = not_after - now
    if remaining <= 0:
        return Expired(_ended(not_after, now))
    doublings = min(max(failures - 1, 0), _MOST_DOUBLINGS)
    wait = min(policy.first_retry_s * 2.0**doublings, policy.longest_retry_s) * _spread(rng, policy)
    if remaining > policy.limit_s:
        at = min(now + wait, not_after - policy.limit_s)
    else:
        at = min(now + min(wait, max(remaining / 2, policy.shortest_retry_s)), not_after)
    return Due(at, f"renewal failed {failures} times, {_minutes(remaining)} remain")


def _spread(rng: random.Random, policy: Policy) -> float:
    return rng.uniform(1 - policy.jitter, 1 + policy.jitter)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min"


def _ended(not_after: float, now: float) -> str:
    return f"the credential expired {_minutes(now - not_after)} ago"
