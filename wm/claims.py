"""Which slots the broker has given away: jobs placed at a CE since its word on free slots. No statements."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from wms.resource import ComputingElement

MOST_CHECKED = 5_000


class Claims:
    """By CE the jobs that were placed and when (epoch s).

    A CE's word may be `settle_s` older than it seems: a job takes as long to reach its queue.
    """

    def __init__(self, settle_s: float) -> None:
        self._settle_s = settle_s
        self._by_ce: dict[str, dict[str, float]] = {}

    def add(self, ce: str, job: str, now: float) -> None:
        self._by_ce.setdefault(ce, {})[job] = now

    def jobs(self) -> list[str]:
        """The jobs that still claim a slot, or the latest of them."""
        return [job for those in self._by_ce.values() for job in those][-MOST_CHECKED:]

    def ended(self, jobs: Collection[str]) -> None:
        """These have given their slots back."""
        if jobs:
            self._by_ce = {ce: {job: at for job, at in those.items() if job not in jobs}
                           for ce, those in self._by_ce.items()}

    def counts(self, ces: Mapping[str, ComputingElement]) -> dict[str, int]:
        """How many jobs each CE got that its word does not know; older ones are forgotten."""
        self._by_ce = {ce: kept for ce, those in self._by_ce.items()
                       if ce in ces and (kept := _since(those, ces[ce].updated - self._settle_s))}
        return {ce: len(those) for ce, those in self._by_ce.items()}


def _since(those: Mapping[str, float], time: float) -> dict[str, float]:
    return {job: at for job, at in those.items() if at >= time}
