"""When a credential is to be renewed, tried again, warned of and given up.

Decisions only: who asks the server is a renewer, what is remembered is `store`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from wms.identity import TOKEN

HOPELESS = -1
"""Instead of a number of failures: nobody can renew this credential."""
_MOST_DOUBLINGS = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """Lengths in seconds. `limit_s` is the remaining life below which renewal does not wait any more: the half hour
    that a batch system wants, and five minutes of clock skew. `job_s` is what a token in the hands of a job should have
    left. `grace_s` after its end a credential is given up.
    """

    lifetime_s: float = 36000.0
    share: float = 0.25
    limit_s: float = 2100.0
    jitter: float = 0.1
    first_retry_s: float = 300.0
    longest_retry_s: float = 3600.0
    shortest_retry_s: float = 60.0
    job_s: float = 900.0
    grace_s: float = 60.0


POLICY = Policy()


class Life(NamedTuple):
    """One life of a credential: it counts from `begins` to `ends` (epoch s), `failures` in a row so far, the owner last
    `warned` at (0: not in this life)."""

    kind: str
    begins: float
    ends: float
    failures: int = 0
    warned: float = 0.0


class Milestones(NamedTuple):
    """Epoch s: the `first` attempt without jitter, half of the margin that is left then, and the last limit."""

    first: float
    half: float
    last: float


class Step(Enum):
    """What is to be done with a credential whose time has come."""

    RENEW = "renew"
    WARN = "warn"
    WAIT = "wait"
    END = "end"


class Next(NamedTuple):
    """After a failure: the time of the next step, and whether the owner is to be told now."""

    at: float
    warn: bool


def milestones(life: Life, policy: Policy = POLICY) -> Milestones:
    """A proxy is renewed when a quarter of the usual life remains; for a short one the part of that quarter above the
    limit shrinks until it fits. A token is renewed when half of its life is over, earlier for the jobs' sake.
    """
    reserve = _of_token(life, policy) if life.kind == TOKEN else _of_proxy(life, policy)
    return Milestones(life.ends - reserve, life.ends - reserve / 2, life.ends - min(policy.limit_s, reserve / 4))


def _of_proxy(life: Life, policy: Policy) -> float:
    whole = max(life.ends - life.begins, 0.0)
    if whole <= policy.limit_s:
        return whole
    spare = max(policy.lifetime_s * policy.share - policy.limit_s, 0.0)
    while policy.limit_s + spare > whole:
        spare *= policy.share
    return policy.limit_s + spare


def _of_token(life: Life, policy: Policy) -> float:
    """At least a quarter of its life is used, however short it is."""
    whole = max(life.ends - life.begins, 0.0)
    return min(max(whole / 2, policy.job_s), whole * 0.75)


def first_attempt(life: Life, now: float, rng: random.Random, policy: Policy = POLICY) -> float:
    """When to renew a credential; the wait is spread so that those made together are not renewed together.

    The tenth after the milestone ends half way to the warning.
    """
    first, half, _ = milestones(life, policy)
    wait = max(first - now, 0.0)
    late = min(policy.jitter * wait, (half - first) / 2)
    return max(now, now + wait + rng.uniform(-policy.jitter * wait, late)) if wait else now


def after_success(life: Life, now: float, rng: random.Random, policy: Policy = POLICY) -> float:
    """When to renew a credential that has just been renewed: never at once.

    A server whose own credential is near its end gives a short one each time it is asked.
    """
    soonest = now + min(policy.first_retry_s, max((life.ends - now) / 2, policy.shortest_retry_s))
    return max(first_attempt(life, now, rng, policy), min(soonest, life.ends))


def step(life: Life, now: float, policy: Policy = POLICY) -> Step:
    """What is to be done now. Only a token can be renewed after its end."""
    if life.failures != HOPELESS and (now < life.ends or life.kind == TOKEN):
        return Step.RENEW
    if now >= life.ends + policy.grace_s:
        return Step.END
    return Step.WARN if is_warning_due(life, now, policy) else Step.WAIT


def is_warning_due(life: Life, now: float, policy: Policy = POLICY) -> bool:
    """Half of the margin, or the last limit, has passed since the owner was told; what is hopeless is told at once, and
    at the last limit."""
    _, half, last = milestones(life, policy)
    if now >= life.ends:
        return False
    if life.failures == HOPELESS:
        return not life.warned or life.warned < last <= now
    return life.warned < last <= now or life.warned < half <= now


def after_failure(life: Life, now: float, rng: random.Random, policy: Policy = POLICY) -> Next:
    """What follows the failure that `life` already counts.

    The wait doubles from five minutes to an hour. The last two milestones always see an attempt, the last one within
    the last `limit_s`, and from there on attempts become denser; two are `shortest_retry_s` apart. The owner
    hears of the last attempt before the end. What is HOPELESS is only told of.
    """
    warn, remaining = is_warning_due(life, now, policy), life.ends - now
    if life.failures == HOPELESS:
        return Next(next_word(life, now, policy), warn)
    if remaining <= 0:
        return Next(_after_the_end(life, now, policy), warn)
    wait = min(policy.first_retry_s * 2.0 ** min(max(life.failures - 1, 0), _MOST_DOUBLINGS), policy.longest_retry_s)
    wait *= rng.uniform(1 - policy.jitter, 1 + policy.jitter)
    if remaining <= policy.limit_s:
        wait = min(wait, remaining / 2)
    _, half, last = milestones(life, policy)
    at = min([now + wait, *(one for one in (half, last) if one > now)])
    at = min(max(at, now + policy.shortest_retry_s), life.ends)
    return Next(at, warn or (at == life.ends and not life.warned))


def next_word(life: Life, now: float, policy: Policy = POLICY) -> float:
    """The next time at which somebody is to be told of a credential that is not tried any more."""
    last = milestones(life, policy).last
    return last if last > now else life.ends + policy.grace_s


def _after_the_end(life: Life, now: float, policy: Policy) -> float:
    """A token that cannot be renewed yet has until it is given up."""
    return min(now + policy.shortest_retry_s, max(life.ends + policy.grace_s, now))


def is_over(life: Life, now: float, policy: Policy = POLICY) -> bool:
    """Nothing more is tried after a failure now."""
    return now >= life.ends + policy.grace_s

