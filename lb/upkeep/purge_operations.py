"""The remote operations of purges: who may purge, which jobs are meant, how far it is.

What a purge does is in lb.upkeep.purge, when it does it in lb.upkeep.purger.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from lb.access.denials import Gate
from lb.access.rights import Action
from lb.upkeep import purge
from lb.upkeep.purge_rules import Ages, limits, resolved
from lb.upkeep.purger import Plan, Purger
from wms.config import Lb
from wms.errors import BadJobId, NoSuchJob, NotAllowedNow, Refused, TooManyResults, WmsError
from wms.httpd import Call, Handler, Page
from wms.jobid import JobId
from wms.operations.upkeep import Purge, Purged
from wms.service import Kit

ACCEPTED = 202
Problems = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Purging:
    """The handlers and what they need."""

    kit: Kit
    gate: Gate
    purger: Purger

    def handlers(self) -> dict[str, Handler]:
        return {"lb.purge": self.purge, "lb.purge_progress": self.progress}

    async def purge(self, call: Call) -> Purged | Page:
        """Purge, or tell what would be purged."""
        self.gate.require(Action.PURGE, call.user)
        asked, kit = call.body, self.kit
        assert isinstance(asked, Purge)
        plan, problems = await self._plan(asked)
        would = await self.purger.counted(plan, kit.settings.lb.max_jobs if asked.names else 0)
        if not asked.really:
            return msgspec.structs.replace(would, problems=problems)
        await self.purger.begin(plan, would.jobs)
        if not asked.background:
            await self.purger.ended()
        found = await self.purger.progress_of_last()
        names = tuple(self.purger.names) if asked.names else ()
        return _answer(msgspec.structs.replace(found, names=names, problems=problems))

    async def progress(self, call: Call) -> Purged:
        """How far it is."""
        self.gate.require(Action.PURGE, call.user)
        return await self.purger.progress_of_last()

    async def purge_by_itself(self) -> None:
        """What the server does from time to time; nothing while a purge is running."""
        plan, _problems = await self._plan(Purge(really=True))
        would = await self.purger.counted(plan, 0)
        try:
            if would.jobs:
                await self.purger.begin(plan, would.jobs)
        except NotAllowedNow:
            return
        await self.purger.ended()

    async def _plan(self, asked: Purge) -> tuple[Plan, Problems]:
        settings = self.kit.settings.lb
        if len(asked.jobs) > settings.max_jobs:
            raise TooManyResults(f"At most {settings.max_jobs} jobs a call.", asked=len(asked.jobs))
        if asked.jobs:
            uniques, problems = await self._named(asked.jobs)
            return Plan(None, uniques, asked.dump, asked.target_s), problems
        ages = Ages(asked.cleared_s, asked.aborted_s, asked.cancelled_s, asked.done_s, asked.other_s)
        old = limits(resolved(ages, default_ages(settings)), self.kit.now())
        return Plan(old, (), asked.dump, asked.target_s), {}

    async def _named(self, names: Sequence[str]) -> tuple[tuple[str, ...], Problems]:
        """The jobs of these identifiers that can be purged, and what is wrong with the others."""
        here = {name: self._unique(name) for name in names}
        uniques = {unique for unique in here.values() if isinstance(unique, str)}
        named = await self.kit.database.read(purge.named, uniques)
        parents = {job.unique: job.parent for job in named.bound}
        found = {job.unique for job in (*named.free, *named.along)}
        problems: Problems = {}
        for name, unique in here.items():
            if isinstance(unique, WmsError):
                problems[name] = unique.record()
            elif unique in parents:
                problems[name] = Refused("It goes only with its parent.", parent=parents[unique]).record()
            elif unique not in found:
                problems[name] = NoSuchJob("No such job is here.", job=name[:200]).record()
        return tuple(job.unique for job in named.free), problems

    def _unique(self, name: str) -> str | WmsError:
        try:
            id = JobId.parse(name)
        except BadJobId as error:
            return error
        host, port = self.kit.lb_address
        if (id.host, id.port) != (host.lower(), port):
            return NoSuchJob(f"This server keeps jobs of {host}:{port}, not {id.host}:{id.port}.", job=name[:200])
        return id.unique


def default_ages(settings: Lb) -> Ages:
    """The server's own ages."""
    return Ages(settings.purge_cleared_s, settings.purge_aborted_s, settings.purge_cancelled_s,
                settings.purge_other_s, settings.purge_other_s)


def _answer(found: Purged) -> Purged | Page:
    if found.state != "running":
        return found
    return Page(msgspec.json.encode(found), "application/json", ACCEPTED)
