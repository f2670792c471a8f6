"""Queries that wait for news of a job: who waits for what, and who is woken after a commit.

News of other processes are not heard here: whoever waits looks again by itself after a while.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from twisted.internet.interfaces import IReactorTime

from wms.service import Nap

ANY = ""
"""In the place of a job: news of any."""


class Waiters:
    """Naps by job. `note` is called in the transaction that changes jobs, in any thread; `tell`
    on the reactor after it.
    """

    name = "waiters"

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._naps: defaultdict[str, set[Nap]] = defaultdict(set)
        self._noted: deque[str] = deque()

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nobody waits any longer."""
        for nap in [nap for naps in self._naps.values() for nap in naps]:
            nap.end()

    @contextmanager
    def at(self, unique: str) -> Iterator[Nap]:
        """A nap that ends when there is news of this job; news from now on are not missed."""
        nap = Nap(self._clock)
        self._naps[unique].add(nap)
        try:
            yield nap
        finally:
            self._naps[unique].discard(nap)
            if not self._naps[unique]:
                del self._naps[unique]

    def note(self, uniques: Iterable[str]) -> None:
        """These jobs change with this transaction."""
        self._noted.extend(uniques)

    def tell(self) -> None:
        """Wake who waits for what was noted; for nothing, if the transaction failed."""
        self._noted.append(ANY)
        while self._noted:
            for nap in tuple(self._naps.get(self._noted.popleft(), ())):
                nap.wake()
