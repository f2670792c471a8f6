"""What the broker counts beside the lanes: what is placed, who used how much, which slots are given away.

Read from the tables now and then, and kept up with its own placements. No decisions here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from wm import lane_store
from wm.claims import Claims
from wm.lane_store import LaneRow, Placed
from wm.ordering.quotas import Held
from wm.ordering.shares import Running, Use, Who
from wms.service import Kit

RECOUNT_S = 5.0
"""How old the figures of shares may be; where there are quotas they are read each time."""


class _Figures(NamedTuple):
    placed: list[Placed]
    uses: dict[Who, Use]


class Reckoning:
    """`refresh`, then read `held`, `running`, `past`, `claims`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._jobs: Counter[tuple[str, str, str]] = Counter()
        self._since: defaultdict[Who, float] = defaultdict(float)
        self._counted = float("-inf")
        self.past: dict[Who, Use] = {}
        self.claims = Claims(kit.settings.wm.settle_s)

    async def refresh(self, now: float, *, slots: bool) -> None:
        """From the tables; `slots`: whether anybody asks for free slots."""
        if self._kit.settings.wm.quotas or now - self._counted >= RECOUNT_S:
            found = await self._kit.database.read(_figures)
            self.past, self._counted = found.uses, now
            self._jobs = Counter({(one.vo, one.owner, one.ce): one.jobs for one in found.placed})
            self._since.clear()
            for one in found.placed:
                self._since[one.vo, one.owner] += one.since
        if slots and (claiming := self.claims.jobs()):
            still = await self._kit.database.read(lane_store.still_placed, claiming)
            self.claims.ended(set(claiming) - still)

    @property
    def held(self) -> tuple[Held, ...]:
        return tuple(Held(vo, owner, ce, jobs) for (vo, owner, ce), jobs in sorted(self._jobs.items()))

    @property
    def running(self) -> dict[Who, Running]:
        jobs: Counter[Who] = Counter()
        for (vo, owner, _), number in self._jobs.items():
            jobs[vo, owner] += number
        return {who: Running(number, self._since[who]) for who, number in jobs.items()}

    def placed(self, jobs: Iterable[tuple[str, LaneRow, str]], now: float) -> None:
        """These (id, lane, CE) were placed just now."""
        for id, lane, ce in jobs:
            self._jobs[lane.vo, lane.owner, ce] += 1
            self._since[lane.vo, lane.owner] += now
            self.claims.add(ce, id, now)


def _figures(conn: sa.Connection) -> _Figures:
    return _Figures(lane_store.placed(conn), lane_store.uses(conn))
