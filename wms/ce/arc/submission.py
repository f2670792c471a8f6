"""How a job comes to an ARC CE, once: described first, and its files, without which it cannot start, after that.

A crash on the way leaves a job that waits for its files; it is found by its name, and adopted or killed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import TypeAlias

from twisted.internet.task import deferLater

from wms.ce import CeJob, Later, Rejected, Submitted
from wms.ce.arc import answers
from wms.ce.arc.answers import Item
from wms.ce.arc.description import WRAPPER, carried, described, problem, script, uploads
from wms.ce.arc.record import Entry
from wms.ce.arc.rest import Rest, portions, together
from wms.ce.arc.site import Site, sure
from wms.ce.arc.wallet import Credential
from wms.errors import BadCredential, NotAuthorized, NotFound, Unavailable

__all__ = ["Submission"]

Verdict: TypeAlias = "Submitted | Rejected | Later"
RSL = "application/rsl"
_FULL = re.compile(r"no more jobs|too many|limit .*(reached|exceeded)|busy|try (again )?later", re.IGNORECASE)
_KILLED_S = 30.0
_LOOK_S = 0.5


class Submission:
    """`submit` of a backend."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def submit(self, jobs: Sequence[CeJob]) -> list[Verdict]:
        """One verdict a job, in order; jobs with the same token are one."""
        verdicts: dict[str, Verdict] = {}
        groups: dict[Credential, dict[str, CeJob]] = {}
        for job in jobs:
            match self._sorted(job):
                case Credential() as credential:
                    groups.setdefault(credential, {})[job.token] = job
                case verdict:
                    verdicts[job.token] = verdict
        away: Unavailable | None = None
        for credential, group in groups.items():
            try:
                verdicts |= await self._group(credential, list(group.values()))
            except (BadCredential, NotAuthorized) as error:
                verdicts |= {token: Rejected(token, error.message, True) for token in group}
            except Unavailable as error:
                away = error
        if away is not None:
            raise away
        return [verdicts[job.token] for job in jobs]

    def _sorted(self, job: CeJob) -> Credential | Verdict:
        """Whose name it goes under, or what is to be said at once."""
        if wrong := problem(job):
            return Rejected(job.token, wrong, True)
        if self._site.settings.queues and job.queue not in self._site.settings.queues:
            return Rejected(job.token, f"there is no queue {job.queue}", True)
        known = self._site.jobs.get(job.token)
        if known is not None and known.whole:
            return Submitted(job.token, known.handle)
        try:
            return self._site.wallet.for_job(job) if known is None else self._site.wallet.get(known.credential)
        except BadCredential as error:
            return Rejected(job.token, error.message, True)

    async def _group(self, credential: Credential, jobs: Sequence[CeJob]) -> dict[str, Verdict]:
        """All under one credential."""
        rest = self._site.doors.of(credential)
        begun = {job.token: job for job in jobs if self._site.jobs.get(job.token) is not None}
        verdicts: dict[str, Verdict] = {}
        if begun:
            await self._find(rest, begun)
            for job in begun.values():
                if (verdict := await self._resumed(rest, job)) is not None:
                    verdicts[job.token] = verdict
        new = [job for job in jobs if job.token not in verdicts]
        if new:
            delegation = await self._site.delegations.current(rest, credential) if self._site.delegates else ""
            for portion in portions(new, self._site.settings.bulk):
                verdicts |= await self._brought(rest, credential, delegation, portion)
        return verdicts

    # -- what a crash left -------------------------------------------------------------------------------

    async def _find(self, rest: Rest, begun: dict[str, CeJob]) -> None:
        """Give handles to those that were described, before that was noted."""
        lost = [token for token in begun if not self._entry(token).handle]
        named = await self._site.named(rest) if lost else {}
        for token in lost:
            for handle in named.get(token, [])[:1]:
                self._site.change(token, handle=handle)

    async def _resumed(self, rest: Rest, job: CeJob) -> Verdict | None:
        """None: there is nothing of it at the CE that could ever start."""
        entry = self._entry(job.token)
        if not entry.handle:
            return None
        item = await _status(rest, entry.handle)
        if item.unknown:
            return Rejected(job.token, "the CE does not know the job any more", False)
        if item.state not in answers.BEFORE_START or await self._is_whole(rest, entry):
            self._site.change(job.token, whole=True)
            return Submitted(job.token, entry.handle)
        await self._dismiss(rest, entry.handle)
        self._site.part(job.token, entry)
        return None

    async def _is_whole(self, rest: Rest, entry: Entry) -> bool:
        """The wrapper comes last: when the whole of it is there, so are the other files."""
        try:
            there = await rest.get(f"/jobs/{entry.handle}/session/{WRAPPER}")
        except NotFound:
            return False
        return _digest(there.body) == entry.digest

    async def _dismiss(self, rest: Rest, handle: str) -> None:
        """Kill what waits for files that will not come: one that came in part cannot be brought again."""
        await rest.jobs("kill", [handle])
        end = self._site.clock.seconds() + _KILLED_S
        while not ((item := await _status(rest, handle)).unknown or item.state in answers.ENDED):
            if self._site.clock.seconds() > end:
                raise Unavailable("the CE does not kill a job that was submitted in part")
            await deferLater(self._site.clock, _LOOK_S, lambda: None)

    # -- what is new -------------------------------------------------------------------------------------

    async def _brought(self, rest: Rest, credential: Credential, delegation: str,
                       jobs: Sequence[CeJob]) -> dict[str, Verdict]:
        """Intention, description, handle, files: each is on disk before the next begins."""
        for job in jobs:
            self._site.jobs.put(job.token, Entry(credential.key, _digest(script(job)),
                                                 files=tuple(name for name, _ in carried(job))))
        pairs = list(zip(jobs, await self._described(rest, delegation, jobs), strict=True))
        taken = [(job, item.id) for job, item in pairs if item.code == 201 and sure(item.id)]
        for job, handle in taken:
            self._site.change(job.token, handle=handle)
        refused = [(job, item) for job, item in pairs if not (item.code == 201 and sure(item.id))]
        self._site.jobs.remove([job.token for job, _ in refused])
        verdicts: dict[str, Verdict] = {job.token: _refusal(job, item) for job, item in refused}
        uploaded = await together(self._upload(rest, job, handle) for job, handle in taken)
        return verdicts | {verdict.token: verdict for verdict in uploaded}

    async def _described(self, rest: Rest, delegation: str, jobs: Sequence[CeJob]) -> list[Item]:
        """The CE's word on each."""
        text = described(jobs, self._site.mark, delegation, self._site.settings.environments)
        found = answers.items((await rest.post("/jobs?action=new", text.encode(), RSL)).body)
        if len(found) == 1 < len(jobs) and found[0].code >= 400:  # one that it cannot read spoils them all
            return [item for job in jobs for item in await self._described(rest, delegation, [job])]
        if len(found) != len(jobs):
            raise Unavailable(f"the CE answers about {len(found)} of {len(jobs)} jobs")
        return found

    async def _upload(self, rest: Rest, job: CeJob, handle: str) -> Verdict:
        try:
            for name, content in uploads(job):
                await rest.put(f"/jobs/{handle}/session/{name}", content)
        except NotFound:
            return Rejected(job.token, "the CE does not know the job any more", False)
        self._site.change(job.token, whole=True)
        return Submitted(job.token, handle)

    def _entry(self, token: str) -> Entry:
        entry = self._site.jobs.get(token)
        if entry is None:
            raise Unavailable("the job was forgotten while it was submitted")
        return entry


async def _status(rest: Rest, handle: str) -> Item:
    found = [item for body in await rest.jobs("status", [handle]) for item in answers.items(body)]
    if len(found) != 1:
        raise Unavailable("the CE does not answer about a job")
    return found[0]


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _refusal(job: CeJob, item: Item) -> Rejected | Later:
    """The CE's words; a limit that is reached passes."""
    reason = (item.reason or f"the CE answers {item.code}")[:500]
    return Later(job.token, reason) if _FULL.search(reason) else Rejected(job.token, reason, True)
