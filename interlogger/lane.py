"""The way to one server: which jobs wait for it, which are on their way, and whether it is worth asking now.

A job is on one request at a time, so its events arrive in order. Neither files nor network: see interlogger.shipper.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from interlogger.retrying import larger, pause_s, smaller


@dataclass(slots=True)
class Lane:
    """`size`: most events in the next request. After a failure one request at a time tries, until one goes well."""

    server: str
    parallel: int
    most: int
    size: int = 1
    failures: int = 0
    until: float = 0.0
    _ready: dict[str, None] = field(default_factory=dict)
    _busy: dict[str, bool] = field(default_factory=dict)
    _asking: int = 0

    @property
    def idle(self) -> bool:
        return not self._ready and not self._busy

    @property
    def waiting(self) -> int:
        """How many jobs have something for this server, as far as is known."""
        return len(self._ready) + len(self._busy)

    def add(self, name: str) -> None:
        """There may be something new in this file."""
        if name in self._busy:
            self._busy[name] = True
        else:
            self._ready[name] = None

    def take(self, now: float) -> list[str]:
        """The jobs of the next request; none when there are enough requests, or it is too early."""
        allowed = 1 if self.failures else self.parallel
        if not self._ready or self._asking >= allowed or now < self.until:
            return []
        self._asking += 1
        names = list(self._ready)[: self.size]
        for name in names:
            del self._ready[name]
            self._busy[name] = False
        return names

    def back(self, name: str, more: bool) -> None:
        """A job of a request is done with; `more` if its file is known to hold more."""
        if self._busy.pop(name) or more:
            self._ready[name] = None

    def ended(self) -> None:
        """A request is over, however it went."""
        self._asking -= 1

    def answered(self) -> None:
        """A request went well."""
        self.failures, self.until = 0, 0.0
        self.size = larger(self.size, self.most)

    def unanswered(self, now: float, longest_s: float, chance: float) -> float:
        """A request failed: smaller ones after a pause, which is returned, seconds."""
        self.failures += 1
        self.size = smaller(self.size)
        pause = pause_s(self.failures, longest_s, chance)
        self.until = max(self.until, now + pause)
        return pause
