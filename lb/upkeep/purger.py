"""The purge at work: portion by portion, with rests between them, gone on with after a restart.

One at a time; how far it is stands in the database. What a portion does is in lb.upkeep.purge.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import sqlalchemy as sa
from twisted.internet.defer import Deferred

from lb import marks
from lb.upkeep import archive, purge
from lb.upkeep.archive import Growing
from lb.upkeep.purge import Doomed, Gone
from lb.upkeep.purge_rules import Limits, pause
from wms.errors import NotAllowedNow
from wms.operations.upkeep import Purged
from wms.service import Kit, Nap, Progressing, background

PORTION = 200
"""Jobs deleted in one transaction: events wait no longer than that."""
STALE_S = 3600.0
"""A purge of another process that has not moved for this long is not waited for."""
Groups = list[list[Doomed]]


class Plan(msgspec.Struct, frozen=True):
    """What a purge does: these jobs, or all that are older than the limits; `target_s` is its duration at least."""

    limits: Limits | None
    jobs: tuple[str, ...] = ()
    dump: bool = True
    target_s: float = 0.0


class Standing(msgspec.Struct, frozen=True):
    """How far it is, and who does it; `at` is the time of its last step."""

    plan: Plan
    purged: Purged
    instance: str
    at: float
    total: int = 0


_decode = msgspec.json.Decoder(Standing).decode
_encode = msgspec.json.Encoder().encode
_NONE = Purged("none")


class Purger(Progressing):
    """`begin` a purge, wait until it has `ended`; `counted` tells what one would do. `told` is called for each job in
    the transaction that deletes it; `names` are the first identifiers of the purge that is running.
    """

    name = "purger"

    def __init__(self, kit: Kit, told: purge.Told | None = None) -> None:
        super().__init__()
        self._kit = kit
        self._told = told
        self._nap = Nap(kit.clock)
        self._work: Deferred[None] | None = None
        self._running = False
        self._waiting: list[Deferred[None]] = []
        self.names: list[str] = []

    async def start(self) -> None:
        """Go on with what was interrupted."""
        standing = await self._kit.database.read(_standing)
        if standing is not None and self._is_mine(standing):
            self._go(standing)

    async def stop(self) -> None:
        self._nap.end()
        if self._work is not None:
            await self._work

    async def begin(self, plan: Plan, total: int) -> None:
        """Raises NotAllowedNow while another one is running."""
        now = self._kit.now()
        file = archive.fresh_name(archive.directory(self._kit.settings), "purge", now) if plan.dump else ""
        standing = Standing(plan, Purged("running", file=file, began=now), self._kit.instance, now, total)
        await self._kit.database.transact(_claim, standing)
        self._go(standing)

    async def ended(self) -> None:
        """When there is nothing more to do now."""
        if self._running:
            done: Deferred[None] = Deferred()
            self._waiting.append(done)
            await done

    async def progress_of_last(self) -> Purged:
        """How far the last purge is."""
        standing = await self._kit.database.read(_standing)
        return _NONE if standing is None else standing.purged

    async def counted(self, plan: Plan, most: int) -> Purged:
        """What it would do: the number of jobs and the first `most` identifiers."""
        number, names = 0, list[str]()
        async for groups in self._portions(plan):
            found = [job.url for group in groups for job in group]
            number += len(found)
            names += found[:most - len(names)]
        return Purged("dry run", number, names=tuple(names))

    def _is_mine(self, standing: Standing) -> bool:
        return standing.purged.state == "running" and standing.instance == self._kit.instance

    def _go(self, standing: Standing) -> None:
        self.names, self._running = [], True
        self._work = background(self._run(standing), self._kit.log)

    async def _run(self, standing: Standing) -> None:
        journal: Growing | None = None
        try:
            if standing.purged.file:
                journal = Growing(archive.directory(self._kit.settings), standing.purged.file, hidden=False)
            async for groups in self._portions(standing.plan):
                standing = await self._portion(standing, groups, journal)
                if self._nap.ended:
                    return
            await self._end(standing, "done")
        except Exception:
            self.failed += 1
            await self._end(standing, "failed")
            raise
        finally:
            if journal is not None:
                journal.close()
            self._running = False
            waiting, self._waiting = self._waiting, []
            for done in waiting:
                done.callback(None)

    async def _portion(self, standing: Standing, groups: Groups, journal: Growing | None) -> Standing:
        """Phase one, phase two, and a rest."""
        database, began = self._kit.database, self._kit.now()
        written = await database.read(purge.write, groups, journal) if journal is not None else 0
        gone, standing = await database.transact(self._bury, standing, groups, written)
        self.done += len(gone.gone)
        self.names += [job.url for job in gone.gone[:self._kit.settings.lb.max_jobs - len(self.names)]]
        self.last = self._kit.now()
        rest = _rest(standing, self.last - began, len(gone.gone), self.last)
        if rest > 0:
            await self._nap.sleep(rest)
        return standing

    def _bury(self, conn: sa.Connection, standing: Standing, groups: Groups, written: int) -> tuple[Gone, Standing]:
        now = self._kit.now()
        gone = purge.bury(conn, groups, now, self._told)
        purged = standing.purged
        standing = msgspec.structs.replace(standing, at=now, purged=msgspec.structs.replace(
            purged, jobs=purged.jobs + len(gone.gone), events=purged.events + written, kept=purged.kept + gone.kept))
        _save(conn, standing)
        return gone, standing

    async def _end(self, standing: Standing, state: str) -> None:
        now = self._kit.now()
        purged = msgspec.structs.replace(standing.purged, state=state, ended=now)
        await self._kit.database.transact(_save, msgspec.structs.replace(standing, purged=purged, at=now))

    async def _portions(self, plan: Plan) -> AsyncIterator[Groups]:
        """Groups of jobs that go together, about PORTION jobs at a time; a large family in several, parents first."""
        waiting: Groups = []
        async for group in self._groups(plan):
            if waiting and sum(map(len, waiting)) + len(group) > PORTION:
                yield waiting
                waiting = []
            waiting.append(group)
        if waiting:
            yield waiting

    async def _groups(self, plan: Plan) -> AsyncIterator[list[Doomed]]:
        async for root in self._roots(plan):
            if not root.composite:
                yield [root]
            elif plan.limits is None or await self._kit.database.read(purge.is_ripe, root, plan.limits):
                async for group in self._family(root, plan.limits):
                    yield group

    async def _roots(self, plan: Plan) -> AsyncIterator[Doomed]:
        read = self._kit.database.read
        if plan.limits is None:
            for at in range(0, len(plan.jobs), purge.PAGE):
                for root in (await read(purge.named, plan.jobs[at:at + purge.PAGE])).free:
                    yield root
            return
        after: purge.After | None = purge.FIRST
        while after is not None and plan.limits.latest is not None:
            page = await read(purge.roots, plan.limits, after)
            for root in page.roots:
                yield root
            after = page.end

    async def _family(self, root: Doomed, limits: Limits | None) -> AsyncIterator[list[Doomed]]:
        """A parent and all below it: in one group if they are few."""
        group, parents, seen = [root], [root.unique], {root.id}
        for parent in parents:  # grows meanwhile
            after = -1
            while some := await self._kit.database.read(purge.children, parent, after, limits):
                after = some[-1].id
                fresh = [job for job in some if job.id not in seen]  # a circle of parents ends
                seen.update(job.id for job in fresh if job.composite)
                parents += [job.unique for job in fresh if job.composite]
                group += fresh
                while len(group) > PORTION:
                    yield group[:PORTION]
                    group = group[PORTION:]
        if group:
            yield group


def _rest(standing: Standing, took_s: float, portion: int, now: float) -> float:
    left = max(0, standing.total - standing.purged.jobs)
    return pause(took_s, portion, left, standing.purged.began + standing.plan.target_s - now)


def _standing(conn: sa.Connection) -> Standing | None:
    text = marks.get(conn, marks.PURGE)
    return _decode(text) if text else None


def _save(conn: sa.Connection, standing: Standing) -> None:
    marks.put(conn, marks.PURGE, _encode(standing).decode())


def _claim(conn: sa.Connection, wanted: Standing) -> None:
    found = _standing(conn)
    if found is not None and found.purged.state == "running" and wanted.at - found.at < STALE_S:
        raise NotAllowedNow("A purge is running.", hint="Wait for its end; its progress can be asked for.")
    _save(conn, wanted)
