"""Fair share: who used how much of late, against the weight of a VO, and of a user within it. Pure.

Use is in slot seconds; it counts half after a half-life. Not the order of lanes that follows (order).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

EXPECTED_S = 600.0
"""What a placed job is thought to use at least: jobs that were only just placed count too."""
LEAST_WEIGHT = 1e-9
Who: TypeAlias = tuple[str, str]
"""(VO, DN)"""


class Use(NamedTuple):
    """Slot seconds, decayed to the time `at` (epoch s)."""

    used: float = 0.0
    at: float = 0.0

    def decayed(self, now: float, half_life_s: float) -> float:
        """What counts of it at `now`."""
        if half_life_s <= 0.0:
            return 0.0
        return float(self.used * 0.5 ** (max(0.0, now - self.at) / half_life_s))

    def plus(self, seconds: float, now: float, half_life_s: float) -> Use:
        return Use(self.decayed(now, half_life_s) + seconds, max(now, self.at))


class Running(NamedTuple):
    """Placed jobs: how many, and the sum of the times at which they were placed (epoch s)."""

    jobs: int = 0
    since: float = 0.0

    def seconds(self, now: float) -> float:
        return max(self.jobs * now - self.since, self.jobs * EXPECTED_S)


class Shares:
    """The account of one cycle: what it gives away is charged at once."""

    def __init__(self, past: Mapping[Who, Use], running: Mapping[Who, Running], now: float, *,
                 weights: Mapping[str, float], half_life_s: float) -> None:
        self._weights = weights
        self._users: dict[Who, float] = {who: use.decayed(now, half_life_s) for who, use in past.items()}
        for who, those in running.items():
            self._users[who] = self._users.get(who, 0.0) + those.seconds(now)
        self._vos: dict[str, float] = {}
        for (vo, _), used in self._users.items():
            self._vos[vo] = self._vos.get(vo, 0.0) + used

    def vo(self, vo: str) -> float:
        """Use by weight: the VO with the smallest is next."""
        return self._vos.get(vo, 0.0) / max(self._weights.get(vo, 1.0), LEAST_WEIGHT)

    def user(self, who: Who) -> float:
        return self._users.get(who, 0.0)

    def charge(self, who: Who, jobs: int = 1) -> None:
        """These were given to the user."""
        more = jobs * EXPECTED_S
        self._users[who] = self._users.get(who, 0.0) + more
        self._vos[who[0]] = self._vos.get(who[0], 0.0) + more
