"""The loop that renews: what is due gets a place, is asked for, put in place and committed with others.

When is `schedule`, what comes of it `outcomes`, how a kind of credential is renewed is a renewer's business.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall

from proxyrenewal import outcomes, store
from proxyrenewal.kinds import FILES, Failed, Fresh, Renewer
from proxyrenewal.lanes import Lanes
from proxyrenewal.outcomes import Outcome, Superseded
from proxyrenewal.schedule import Policy
from proxyrenewal.store import Registration
from wms.credentials import Credentials
from wms.errors import Unavailable, WmsError
from wms.service import Kit, Loop, background, linger, within

BATCH = 500
"""So many credentials are read, and so many outcomes committed, at once."""
GATHER_S = 1.0
"""Outcomes within this time are one transaction; what a crash in it undoes is renewed once more."""
LEAST_NAP_S = 1.0
"""Credentials whose time comes within this are taken up together."""
AGAIN_S = 5.0
"""The database did not answer."""
ASIDE_S = 300.0
"""An outcome that cannot be written is not tried again for so long."""
PATIENCE_S = 5.0
"""A renewer bounds its own time; this long after, it is not waited for."""
FRESH = ".fresh"
"""A credential on its way to its place."""


class Renewals(Loop):
    """Renews with `renewers`, one for each kind of credential. `poke` when registrations have changed."""

    def __init__(self, kit: Kit, renewers: Mapping[str, Renewer]) -> None:
        super().__init__(kit, "renewals")
        self._settings = kit.settings.proxyrenewal
        self._renewers = renewers
        self.policy = policy_of(kit)
        self._lanes = Lanes(self._settings.parallel)
        self._taken: dict[str, float] = {}  # credential -> until when nobody else takes it up
        self._flights: set[Deferred[None]] = set()
        self._outcomes: list[Outcome] = []
        self._gathering: IDelayedCall | None = None
        self._committing: Deferred[None] | None = None
        self._filling = False
        self._full = False  # there may be more that is due than was taken up
        self._next = 0.0  # epoch s: when the next round is planned

    def progress(self) -> dict[str, Any]:
        """Renewed, failed, and what is under way, waits for a place or for its commit."""
        return {**super().progress(), "taken": len(self._taken), "places": self._lanes.under_way}

    def poke(self) -> None:
        self._nap.wake()

    async def start(self) -> None:
        for left in self._kit.credentials.directory.glob(f"*{FRESH}"):  # of a process that was killed
            left.unlink(missing_ok=True)
        await super().start()

    async def stop(self) -> None:
        """Nothing new begins; what is under way comes to its end, or to the end of the suite's patience."""
        await super().stop()
        await DeferredList(list(self._flights))
        if self._gathering is not None:
            self._gathering.cancel()
            self._commit_soon()
        if self._committing is not None:
            await self._committing

    # -- rounds ------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._nap.ended:
            try:
                pause = await self._round()
            except Exception:  # noqa: BLE001 - the database may be away; the loop must outlive it
                self.failed += 1
                self._kit.log.failure("a round of renewals failed")
                pause = AGAIN_S
            await self._nap.sleep(pause)
            await linger(self._kit, self.last, self._nap)

    async def _round(self) -> float:
        """Take up what is due; seconds until the next round."""
        now = self._kit.now()
        self.last = now
        most = BATCH + len(self._taken)
        found, upcoming = await self._kit.database.read(store.agenda, now, most, self._lanes.blocked)
        new = [entry for entry in found if self._taken.get(entry.credential, 0.0) <= now]
        self._full = len(found) == most
        for entry in new:
            self._taken[entry.credential] = math.inf
            outcome = outcomes.unattempted(entry, now, self.policy)
            if outcome is None:
                self._lanes.add(entry)
            else:
                self._settle(outcome)
        self._fill()
        if new and self._full:
            return 0.0
        self._next = min(now + self._settings.period_s, max(now + LEAST_NAP_S, upcoming))
        return max(0.0, self._next - self._kit.now())

    def _fill(self) -> None:
        """Give free places to those who wait."""
        if self._filling or self._nap.ended:
            return
        self._filling = True
        while (entry := self._lanes.take()) is not None:
            flight = background(self._flight(entry), self._kit.log)
            if not flight.called:
                self._flights.add(flight)
                _ = flight.addBoth(self._landed, flight)
        self._filling = False

    def _landed(self, _: object, flight: Deferred[None]) -> None:
        self._flights.discard(flight)

    # -- one renewal -------------------------------------------------------------------------------------

    async def _flight(self, entry: Registration) -> None:
        answer = await self._attempt(entry)
        self._lanes.leave(entry.myproxy, silent=isinstance(answer, Failed) and answer.silent)
        self._settle(outcomes.settled(entry, answer, self._kit.now(), self._kit.rng, self.policy))
        self._fill()
        if self._lanes.free and (self._full or self._lanes.blocked):
            self.poke()

    async def _attempt(self, entry: Registration) -> Fresh | Failed | Superseded:
        """Ask for a fresh credential, and put it in the place of the one it was asked for."""
        kit, kind = self._kit, FILES[entry.kind]
        try:
            old = await kit.thread(kit.credentials.read, entry.credential, kind)
            answer = await within(kit.clock, self._settings.timeout_s + PATIENCE_S,
                                  self._renewers[entry.kind].renew(entry, old, kit.now()))
            if isinstance(answer, Failed):
                return answer
            if answer.not_after <= entry.not_after:
                return Failed(f"the renewed credential would end no later, {outcomes.moment(answer.not_after)}")
            put = await kit.thread(replace, kit.credentials, entry.credential, kind, old, answer.content)
            return answer if put else Superseded()
        except (WmsError, OSError) as error:
            return Failed(error.message if isinstance(error, WmsError) else str(error),
                          silent=isinstance(error, Unavailable))
        except Exception:  # noqa: BLE001 - one credential must not stop the others; it is logged and tried again
            kit.log.failure("renewal of {credential} of {owner} broke", credential=entry.credential, owner=entry.owner)
            return Failed("the service has failed; its log tells why")

    # -- outcomes ----------------------------------------------------------------------------------------

    def _settle(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        self._gather(GATHER_S)

    def _gather(self, seconds: float) -> None:
        if self._gathering is None and self._committing is None:
            self._gathering = self._kit.clock.callLater(seconds, self._commit_soon)

    def _commit_soon(self) -> None:
        self._gathering = None
        if self._committing is not None:
            return  # it goes on until nothing is left
        self._committing = background(self._commit_all(), self._kit.log)
        _ = self._committing.addBoth(self._committed)

    def _committed(self, _: object) -> None:
        self._committing = None
        if self._outcomes and not self._nap.ended:
            self._gather(AGAIN_S)

    async def _commit_all(self) -> None:
        while self._outcomes:
            batch, self._outcomes = self._outcomes[:BATCH], self._outcomes[BATCH:]
            try:
                batch = [await self._told_ahead(outcome) for outcome in batch]
                await self._commit(batch)
            except Unavailable:
                self._outcomes = batch + self._outcomes
                raise
            except Exception:  # noqa: BLE001 - one outcome that cannot be written must not keep the others from it
                for outcome in batch:
                    await self._commit_alone(outcome)

    async def _commit_alone(self, outcome: Outcome) -> None:
        try:
            await self._commit([outcome])
        except Exception:  # noqa: BLE001 - it is logged, and comes again
            self._taken[outcome.entry.credential] = self._kit.now() + ASIDE_S
            self._kit.log.failure("the outcome for {credential} of {owner} cannot be written",
                                  credential=outcome.entry.credential, owner=outcome.entry.owner)

    async def _commit(self, batch: Sequence[Outcome]) -> None:
        now = self._kit.now()
        valid = await self._kit.database.transact(outcomes.commit, batch, now, self._kit.host)
        for outcome in batch:
            self._taken.pop(outcome.entry.credential, None)
        for outcome in valid:
            self._tell_log(outcome)
        if len(valid) < len(batch) or any(one.ended or one.new.next_try < self._next for one in valid):
            self.poke()

    async def _told_ahead(self, outcome: Outcome) -> Outcome:
        """A credential of very many jobs: all but the last portion of them are told before the outcome is written."""
        while outcome.word and (last := await self._kit.database.transact(
                outcomes.tell_portion, outcome, self._kit.now(), self._kit.host)):
            outcome = _behind(outcome, last)
        return outcome

    def _tell_log(self, outcome: Outcome) -> None:
        log, new = self._kit.log, outcome.new
        told: dict[str, Any] = {"credential": new.credential, "owner": new.owner, "server": new.myproxy}
        if outcome.renewed:
            self.done += 1
            log.info("renewed {credential} of {owner} at {server}", **told)
        elif outcome.ended:
            log.warn("{credential} of {owner}: {reason}", reason=outcome.ended, **told)
        elif new.last_error and new.failures != outcome.entry.failures:
            self.failed += 1
            log.warn("renewal of {credential} of {owner} at {server} failed ({failures}): {error}",
                     failures=new.failures, error=new.last_error, **told)


def _behind(outcome: Outcome, last: str) -> Outcome:
    return Outcome(outcome.entry, outcome.new, outcome.word, last, outcome.renewed, outcome.ended)


def policy_of(kit: Kit) -> Policy:
    """The schedule of this installation."""
    settings = kit.settings
    return Policy(lifetime_s=settings.proxyrenewal.lifetime_s, job_s=settings.tokens.job_s,
                  grace_s=settings.proxyrenewal.grace_s)


def replace(credentials: Credentials, credential: str, kind: str, old: bytes, new: bytes) -> bool:
    """Put `new` in the place of `old`, if that is still there: what its owner did meanwhile stays as he left it."""
    credentials.write(credential, new, kind + FRESH)
    fresh = credentials.path(credential, kind + FRESH)
    try:
        if credentials.read(credential, kind) != old:
            return False
        fresh.replace(credentials.path(credential, kind))
        return True
    except FileNotFoundError:
        return False
    finally:
        fresh.unlink(missing_ok=True)


