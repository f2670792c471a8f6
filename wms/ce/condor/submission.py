"""Jobs on their way into HTCondor: intention first, then one condor_submit for all of a shape, then their ids.

What an interrupted submission left is found again by its token. Not here: what becomes of jobs later (backend).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias, TypeVar

import msgspec

from wms.ce import CeJob, Later, Rejected, Submitted
from wms.ce.condor import answers
from wms.ce.condor.commands import Condor
from wms.ce.condor.settings import CondorSettings
from wms.ce.condor.staging import Entry, Staging
from wms.ce.condor.states import is_half_submitted, is_leaving
from wms.ce.condor.submitfile import Shape, by_tokens, describe, shape_of
from wms.errors import Unavailable

__all__ = ["Submissions", "chunks"]

_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,200}")
_CHUNK = 200
"""Tokens in one constraint: a command line that every system takes."""

Verdict: TypeAlias = Submitted | Rejected | Later
T = TypeVar("T")


class Submissions:
    """`name` gives names that nobody had before, in order."""

    def __init__(self, settings: CondorSettings, staging: Staging, condor: Condor, name: Callable[[], str]) -> None:
        self._settings = settings
        self._staging = staging
        self._condor = condor
        self._name = name
        self._written = 0
        self.log = ""

    async def submit(self, jobs: Sequence[CeJob]) -> list[Verdict]:
        """One verdict per job, in order; those that HTCondor has already are not submitted again."""
        verdicts: dict[str, Verdict] = {job.token: refusal for job in jobs if (refusal := self._refusal(job))}
        wanted = {job.token: job for job in jobs if job.token not in verdicts}
        entries = self._staging.ledger.find(wanted)
        doubtful = [token for token, entry in entries.items() if not entry.handle]
        await self.adopt(doubtful)
        verdicts |= {token: Submitted(token, entry.handle)
                     for token, entry in self._staging.ledger.find(entries).items() if entry.handle}
        new = [job for token, job in wanted.items() if token not in verdicts]
        for shape, alike in self._by_shape(new).items():
            for some in chunks(alike, self._settings.jobs_per_submission):
                verdicts |= await self._submit(shape, some)
        return [verdicts[job.token] for job in jobs]

    def _refusal(self, job: CeJob) -> Rejected | None:
        if not _TOKEN.fullmatch(job.token):
            return Rejected(job.token, "the token is not made of letters, digits, '_' and '-'", True)
        if job.queue not in self._settings.queues:
            return Rejected(job.token, f"there is no queue {job.queue!r}", True)
        if job.hosts > 1:
            return Rejected(job.token, "HTCondor gives a job of the vanilla universe one host", True)
        if job.whole_nodes and not (self._settings.routed or self._settings.grid_resource):
            return Rejected(job.token, "HTCondor gives no whole nodes here", True)
        return None

    def _by_shape(self, jobs: Sequence[CeJob]) -> Mapping[Shape, list[CeJob]]:
        found: dict[Shape, list[CeJob]] = defaultdict(list)
        for job in jobs:
            found[shape_of(job, self._settings.queues[job.queue], self._settings.by_owner)].append(job)
        return found

    # -- what was begun before ---------------------------------------------------------------------------

    async def adopt(self, tokens: Sequence[str]) -> None:
        """Find the ids of jobs whose submission nobody saw end; what was spooled only in part is removed."""
        for some in chunks(tokens, _CHUNK):
            constraint = by_tokens(self._settings.installation, some)
            here = await self._condor.queued(constraint)
            left = [str(ad.get("WmsToken")) for ad in here if is_half_submitted(ad)]
            if left:
                await self._condor.remove(by_tokens(self._settings.installation, left))
            gone = await self._condor.gone(constraint, len(some)) if len(here) < len(some) else []
            whole = [ad for ad in here if not (is_half_submitted(ad) or is_leaving(ad))]
            for ad in (*(ad for ad in gone if not _never_began(ad)), *whole):
                self._submitted(str(ad.get("WmsToken")), answers.handle_of(ad))

    def _submitted(self, token: str, handle: str) -> None:
        entry = self._staging.ledger.get(token)
        if entry is not None:
            self._staging.ledger.put(token, msgspec.structs.replace(entry, handle=handle))

    # -- a submission ------------------------------------------------------------------------------------

    async def _submit(self, shape: Shape, jobs: Sequence[CeJob]) -> dict[str, Verdict]:
        try:
            text = self._written_down(shape, jobs)
            path = self._staging.write_submission(self._name(), text)
        except OSError as error:
            raise Unavailable(f"the spool cannot be written: {error.strerror}") from None
        try:
            done = await self._condor.submit(str(path))
        finally:
            path.unlink(missing_ok=True)
        if done.status == 0:
            return await self._accepted(jobs, answers.handles(done.stdout.decode("utf-8", "replace")))
        return await self._failed(shape, jobs, answers.words(done.stdout, done.stderr))

    def _written_down(self, shape: Shape, jobs: Sequence[CeJob]) -> str:
        """All that must be on disk before; the text of the submit file."""
        self._written += len(jobs)
        if not self.log or self._written > self._settings.jobs_per_log:
            self.log, self._written = f"{self._name()}.log", len(jobs)
        for job in jobs:
            self._staging.write_job(job)
            self._staging.ledger.put(job.token, Entry(log=self.log, wall_s=shape.wall_s))
        log = str(self._staging.events / self.log) if self._settings.has_log else ""
        return describe(self._settings, shape, jobs, log)

    async def _accepted(self, jobs: Sequence[CeJob], handles: Sequence[str]) -> dict[str, Verdict]:
        if len(handles) == len(jobs):
            for job, handle in zip(jobs, handles, strict=True):
                self._submitted(job.token, handle)
        else:
            await self.adopt([job.token for job in jobs])
        entries = self._staging.ledger.find([job.token for job in jobs])
        if lost := [token for token, entry in entries.items() if not entry.handle]:
            raise Unavailable(f"condor_submit took {len(jobs)} jobs, and {len(lost)} of them are not in the queue")
        return {token: Submitted(token, entry.handle) for token, entry in entries.items()}

    async def _failed(self, shape: Shape, jobs: Sequence[CeJob], text: str) -> dict[str, Verdict]:
        """A submission is refused as a whole: one job of it may be the reason, so halves are tried."""
        outcome = answers.verdict(text)
        if outcome == "unavailable":
            raise Unavailable(f"condor_submit: {text}")
        if outcome == "refused" and len(jobs) > 1:
            middle = len(jobs) // 2
            return {**await self._submit(shape, jobs[:middle]), **await self._submit(shape, jobs[middle:])}
        self._staging.forget([job.token for job in jobs], self.log)
        if outcome == "later":
            return {job.token: Later(job.token, text) for job in jobs}
        return {job.token: Rejected(job.token, f"condor_submit: {text}", False) for job in jobs}


def _never_began(ad: Mapping[str, object]) -> bool:
    """Of the history: removed before it ran, by us who found it spooled in part."""
    return is_leaving(ad) and not ad.get("NumJobStarts")


def chunks(items: Sequence[T], most: int) -> Iterator[Sequence[T]]:
    for first in range(0, len(items), most):
        yield items[first : first + most]
