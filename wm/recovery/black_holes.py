"""When a computing element is set aside for a class of jobs, when one of them tries it again, when it is back. Pure.

Only failures that are not the user's or the credential's are told here; what a class brings upon itself everywhere
is no black hole.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

LONGEST_REST_S = 86_400.0


class Standing(Enum):
    """What jobs of a class may expect of a computing element now."""

    USED = "used"
    ASIDE = "aside"
    TRIAL = "trial"


class Rules(NamedTuple):
    """`failures` fast ones in a row set aside; fast is less than `fast_s`; the first rest lasts `rest_s`."""

    failures: int = 10
    fast_s: float = 300.0
    rest_s: float = 900.0

    def rest(self, trials: int) -> float:
        """Seconds of rest after so many trials in vain: doubled each time, a day at most."""
        return float(min(LONGEST_REST_S, self.rest_s * 2.0 ** min(trials, 30)))


class Memory(NamedTuple):
    """Of one CE and class: fast `failures` in a row; `aside_until` (epoch s) 0 in use; `trial`: the job on trial.

    While a job tries the CE, `aside_until` is when the next one may: a trial that never ends blocks nothing.
    """

    failures: int = 0
    changed: float = 0.0
    aside_until: float = 0.0
    trials: int = 0
    trial: str = ""

    def standing(self, now: float) -> Standing:
        if not self.aside_until:
            return Standing.USED
        return Standing.ASIDE if now < self.aside_until else Standing.TRIAL


def placed(memory: Memory, job: str, now: float, rules: Rules) -> Memory:
    """A job was sent there: if a trial was due, it is this one."""
    if memory.standing(now) is not Standing.TRIAL:
        return memory
    return memory._replace(trial=job, changed=now, aside_until=now + rules.rest(memory.trials))


def failed(memory: Memory, job: str, lasted_s: float, now: float, rules: Rules) -> Memory:
    """An attempt failed there, `lasted_s` after it was placed; any failure of the job on trial counts."""
    if memory.trial == job:
        trials = memory.trials + 1
        return Memory(memory.failures + 1, now, now + rules.rest(trials), trials)
    if lasted_s >= rules.fast_s:
        return memory
    counted = memory._replace(failures=memory.failures + 1, changed=now)
    if memory.aside_until or counted.failures < rules.failures:
        return counted
    return counted._replace(aside_until=now + rules.rest(0))
