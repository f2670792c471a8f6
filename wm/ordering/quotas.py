"""Quotas: the most jobs that may be placed at once, by VO, user and CE. Pure.

A limit is named `vo:NAME`, `user:DN` or `ce:ID`; `vo:*` and its like hold for each that is not named.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

VO, USER, CE = "vo", "user", "ce"


class Held(NamedTuple):
    """Jobs of one owner that are placed at one CE."""

    vo: str
    owner: str
    ce: str
    jobs: int


class Room:
    """What may still be placed in one cycle: `take` counts what is."""

    def __init__(self, limits: Mapping[str, int], held: Iterable[Held] = ()) -> None:
        self._limits = limits
        self._placed: dict[tuple[str, str], int] = {}
        self._kinds = frozenset(name.partition(":")[0] for name in limits)
        self.full: set[str] = {name for kind, _, name in (limit.partition(":") for limit in limits)
                               if kind == CE and limits[f"{CE}:{name}"] <= 0}
        for one in held:
            self.take(one.vo, one.owner, one.ce, one.jobs)

    @property
    def by_ce(self) -> bool:
        """Some CE has a limit."""
        return CE in self._kinds

    @property
    def only(self) -> frozenset[str] | None:
        """The CEs that are named, if no other may take anything."""
        if self._limits.get(f"{CE}:*", 1) > 0:
            return None
        return frozenset(name for kind, _, name in (limit.partition(":") for limit in self._limits) if kind == CE)

    def of(self, vo: str, owner: str) -> tuple[float, str]:
        """How many more jobs the owner may have placed, and the name of the limit that says so ("": none)."""
        return min((self._left(VO, vo), self._left(USER, owner)), key=lambda one: one[0])

    def at(self, ce: str) -> float:
        """How many more jobs the CE may have."""
        return self._left(CE, ce)[0]

    def take(self, vo: str, owner: str, ce: str, jobs: int = 1) -> None:
        for kind, name in ((VO, vo), (USER, owner), (CE, ce)):
            if kind in self._kinds:
                self._placed[kind, name] = self._placed.get((kind, name), 0) + jobs
        if self.at(ce) <= 0:
            self.full.add(ce)

    def _left(self, kind: str, name: str) -> tuple[float, str]:
        if kind not in self._kinds:
            return float("inf"), ""
        label = f"{kind}:{name}" if f"{kind}:{name}" in self._limits else f"{kind}:*"
        limit = self._limits.get(label)
        if limit is None:
            return float("inf"), ""
        return limit - self._placed.get((kind, name), 0), label
