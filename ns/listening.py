"""Who waits for news of what: requests that are answered when something comes, woken within this process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IReactorTime

from wms.service import Nap


class Listening:
    """Naps by topic, in order of their arrival."""

    name = "listening"

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._naps: defaultdict[str, list[Nap]] = defaultdict(list)

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nobody waits any longer."""
        for nap in [nap for naps in self._naps.values() for nap in naps]:
            nap.end()

    @contextmanager
    def at(self, topic: str) -> Iterator[Nap]:
        """A nap that ends when there is news; news from now on are not missed."""
        nap = Nap(self._clock)
        self._naps[topic].append(nap)
        try:
            yield nap
        finally:
            self._naps[topic].remove(nap)
            if not self._naps[topic]:
                del self._naps[topic]

    def is_last(self, topic: str, nap: Nap) -> bool:
        """Has nobody come since?"""
        return self._naps[topic][-1] is nap

    def tell(self, topic: str) -> None:
        """Wake who waits for it."""
        for nap in tuple(self._naps.get(topic, ())):
            nap.wake()
