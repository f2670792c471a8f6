"""What the broker does and what waits, in figures for the heartbeat; in the log, a line for each CE set aside.

Not the reasons of single jobs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from wm.broker import Broker
from wm.lanes import LaneState
from wm.matching.inputs import Decision
from wm.recovery.memories import Memories
from wms.service import Kit, Ticker


def waiting(states: Iterable[LaneState], now: float) -> dict[str, Any]:
    """Jobs that wait by cause, their sum, and the age of the oldest (s)."""
    causes: Counter[str] = Counter()
    heads = []
    for state in states:
        if state.settled:
            causes[state.cause.why.value] += state.settled
            heads.append(state.head)
    return {"waiting": causes.total(), "waiting_for": dict(sorted(causes.items())),
            "oldest_s": max(0.0, now - min(heads)) if heads else 0.0}


class Planning(Ticker):
    """Calls the broker, counts its cycles and placements, and says in the log what was set aside or is back."""

    def __init__(self, kit: Kit, period_s: float, broker: Broker, memories: Memories) -> None:
        super().__init__(kit, "broker", period_s, self._plan)
        self._broker = broker
        self._memories = memories
        self._aside: frozenset[tuple[str, str]] = frozenset()
        self.cycles = self.placed = 0
        broker.decided.append(self._count)

    async def _plan(self) -> None:
        self._tell()
        await self._broker.work()

    def _count(self, decision: Decision) -> None:
        self.cycles += 1
        self.placed += sum(one.jobs for one in decision.outcome.placements)

    def _tell(self) -> None:
        aside = self._memories.aside()
        for ce, cls in sorted(aside - self._aside):
            self._kit.log.warn("{ce} is set aside for jobs of class {cls}: it fails them", ce=ce, cls=cls)
        for ce, cls in sorted(self._aside - aside):
            self._kit.log.info("{ce} is back for jobs of class {cls}", ce=ce, cls=cls)
        self._aside = aside

    def progress(self) -> dict[str, Any]:
        states = self._broker.lanes.states.values()
        return {**super().progress(), "cycles": self.cycles, "placed": self.placed, "lanes": len(states),
                **waiting(states, self._kit.now()), "set_aside": len(self._memories.aside()),
                "set_aside_so_far": self._memories.set_aside}
