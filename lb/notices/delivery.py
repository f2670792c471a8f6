"""Brings notices where their registrations want them: each registration in its order, all beside each other.

A carrier knows one way (web hook, broker); this knows who is next, who must wait, and what has arrived. Whoever fails
waits longer and longer, and goes in a narrow lane of its own until it is well again: nobody else waits for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.python.failure import Failure

from lb.notices import notification_store
from lb.notices.board import Board
from lb.notices.notifications import Notice, Registration
from wms.errors import WmsError
from wms.service import Kit, Nap, Progressing

PORTION = 50
WIDE, NARROW = 64, 8
"""How many are under way at the same time: of those that are well, of those that failed last."""
FIRST_RETRY_S = 1.0


class Carried(NamedTuple):
    """How many notices, from the first, have arrived; what went wrong with the next, if anything did."""

    number: int
    problem: str = ""


class Carrier(Protocol):
    """One way. `scheme` is how its destinations begin; whoever fails is tried again after `longest_pause_s` at most."""

    name: str
    scheme: str
    longest_pause_s: float

    async def carry(self, registration: Registration, notices: Sequence[Notice]) -> Carried: ...

    async def stop(self) -> None: ...


def retry_s(failures: int, longest_s: float, chance: float) -> float:
    """Seconds before the next try after so many failures in a row; `chance` in [0, 1) spreads them."""
    return min(longest_s, FIRST_RETRY_S * 2.0 ** min(failures - 1, 20)) * (1.0 - chance / 4)


class Delivery(Progressing):
    """All registrations of one carrier. `done` counts notices, `failed` tries."""

    def __init__(self, kit: Kit, board: Board, carrier: Carrier) -> None:
        super().__init__()
        self.name = carrier.name
        self._kit = kit
        self._carrier = carrier
        self._wide, self._narrow = DeferredSemaphore(WIDE), DeferredSemaphore(NARROW)
        self._rounds: dict[str, Deferred[None]] = {}
        self._pauses: dict[str, tuple[str, Nap]] = {}
        self._more: set[str] = set()
        self._ended = False
        board.on_news(self.told)

    async def start(self) -> None:
        """Nothing to do: the board tells what waits."""

    async def stop(self) -> None:
        """What is under way is given up and will be sent again."""
        self._ended = True
        rounds = list(self._rounds.values())
        for begun in rounds:
            begun.cancel()
        for begun in rounds:
            await begun
        await self._carrier.stop()

    def told(self, id: str, destination: str) -> None:
        """This registration has notices for this destination."""
        if self._ended or not destination.startswith(self._carrier.scheme):
            return
        self._more.add(id)
        if id not in self._rounds:
            begun = self._rounds[id] = Deferred.fromCoroutine(self._serve(id))
            _ = begun.addBoth(self._over, id)
            if begun.called:
                self._rounds.pop(id, None)
        elif id in self._pauses and self._pauses[id][0] != destination:
            self._pauses[id][1].wake()

    def _over(self, outcome: object, id: str) -> None:
        self._rounds.pop(id, None)
        self._more.discard(id)
        if isinstance(outcome, Failure) and not (self._ended and outcome.check(CancelledError)):
            self.failed += 1
            self._kit.log.failure("{carrier}: {id} could not be served", outcome, carrier=self.name, id=id)

    async def _serve(self, id: str) -> None:
        """Until there is nothing left for it, or it is none of ours any longer."""
        failures = 0
        while not self._ended and (id in self._more or failures):
            self._more.discard(id)
            destination, problem = await self._try(id, failures)
            failures = failures + 1 if problem else 0
            if problem and not self._ended:
                await self._wait(id, destination, failures, problem)

    async def _wait(self, id: str, destination: str, failures: int, problem: str) -> None:
        """Until it is time to try again, or the registration is bound to another destination."""
        self.failed += 1
        pause = retry_s(failures, self._carrier.longest_pause_s, self._kit.rng.random())
        self._kit.log.warn("{carrier}: {id} again in {pause} s: {problem}", carrier=self.name, id=id,
                           pause=round(pause, 1), problem=problem[:300])
        nap = Nap(self._kit.clock)
        self._pauses[id] = destination, nap
        try:
            await nap.sleep(pause)
        finally:
            del self._pauses[id]

    async def _try(self, id: str, failures: int) -> tuple[str, str]:
        """One portion: where it went, and the problem; there may be more when some of it arrived."""
        destination = self._carrier.scheme
        try:
            found = await self._kit.database.read(notification_store.portion, id, 0, PORTION, self._kit.now())
            if found is None or not found.notices or not found.registration.destination.startswith(destination):
                return "", ""
            destination = found.registration.destination
            carried = await self._carry(found.registration, found.notices, failures)
            if carried.number:
                upto = found.notices[carried.number - 1].id
                await self._kit.database.transact(notification_store.acknowledge, id, upto, self._kit.now())
        except WmsError as error:
            return destination, error.message
        self.done += carried.number
        self.last = self._kit.now()
        if carried.number:
            self._more.add(id)
        return destination, carried.problem

    async def _carry(self, registration: Registration, notices: Sequence[Notice], failures: int) -> Carried:
        lane = self._narrow if failures else self._wide
        await lane.acquire()
        try:
            return await self._carrier.carry(registration, notices[:1] if failures else notices)
        finally:
            lane.release()
