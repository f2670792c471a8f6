"""HTCondor as a CE: by its commands and its event logs, here, behind a remote schedd or an HTCondor-CE.

A job is found again by its token, an attribute of the job; where the schedd shares our files its events tell how it is,
and the queue is asked now and then. Not here: what is said to HTCondor (submission), nor what it answers (states).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import count
from typing import Any

import msgspec

from wms.ce import CeJob, CeState, Later, Phase, Rejected, Submitted
from wms.ce.condor import answers
from wms.ce.condor.commands import Condor, environment
from wms.ce.condor.facts import facts, our_schedd
from wms.ce.condor.logtail import LogTail
from wms.ce.condor.settings import CondorSettings, problems
from wms.ce.condor.staging import Entry, Staging
from wms.ce.condor.states import is_leaving, of_ad, of_seen
from wms.ce.condor.submission import Submissions, chunks
from wms.ce.condor.submitfile import by_handles, by_installation, by_tokens
from wms.ce.hosts import Host
from wms.ce.hosts.choice import choose
from wms.ce.published import glue
from wms.errors import ConfigError

__all__ = ["HtCondor", "make"]

_CHUNK = 200
"""Jobs in one constraint. Of more than that all of ours are asked for."""

_KEPT = 1000
"""States of jobs that were not asked about this time."""

_UNKNOWN = "this CE does not know it"
_CANCELLED = "cancelled"


def make(settings: Mapping[str, Any], reactor: Any) -> HtCondor:
    """The factory of the registry; raises `ConfigError`."""
    try:
        given = msgspec.convert(dict(settings), CondorSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"HTCondor CE: {error}") from None
    if wrong := problems(given):
        raise ConfigError("\n".join(f"HTCondor CE: {problem}" for problem in wrong))
    host = given.host or socket.gethostname()
    whole = msgspec.structs.replace(given, host=host, environment=environment(given),
                                    installation=given.installation or f"{host}:{given.spool}")
    return HtCondor(whole, choose(whole, reactor), reactor)


class HtCondor:
    """A `Backend`. `host` is where HTCondor's commands are run."""

    def __init__(self, settings: CondorSettings, host: Host, reactor: Any) -> None:
        self._settings = settings
        self._host = host
        self._reactor = reactor
        self._condor = Condor(settings, host)
        self._staging = Staging(settings.spool)
        self._numbers = count()
        self._submissions = Submissions(settings, self._staging, self._condor, self._name)
        self._tail = LogTail(self._staging.events, reactor, self._changed)
        self._ended: dict[str, CeState] = {}
        self._checked: dict[str, float] = {}
        self._wakers: list[Callable[[], None]] = []
        self._look: Any = None

    def _name(self) -> str:
        """A name no other process gives either, sorted by time."""
        return f"{int(self._reactor.seconds() * 1e6):020d}-{os.getpid()}-{next(self._numbers)}"

    # -- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        self._staging.prepare()
        await self._host.start()
        if self._settings.has_log:
            self._tail.start()

    async def stop(self) -> None:
        self._tail.stop()
        if self._look is not None and self._look.active():
            self._look.cancel()
        self._look = None
        await self._host.stop()

    def watch(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    def _changed(self) -> None:
        """Something was written to a log: tell once, however much it was."""
        if self._look is None and self._wakers:
            self._look = self._reactor.callLater(0, self._tell)

    def _tell(self) -> None:
        self._look = None
        for wake in self._wakers:
            wake()

    # -- submission, renewal, output ---------------------------------------------------------------------

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected | Later]:
        return await self._submissions.submit(jobs)

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        """The schedd forwards a proxy that changed to the running job; a token only goes with jobs that start later.

        Files that were spooled are out of reach.
        """
        for token in self._staging.ledger.find(tokens):
            if token not in self._ended:
                self._staging.renew(token, proxy, bearer)

    async def output(self, token: str) -> str:
        entry = self._staging.ledger.get(token)
        if entry is None:
            return ""
        if self._settings.spool_files and entry.handle and not entry.fetched:
            await self._fetch(token, entry)
        return self._staging.output(token)

    async def _fetch(self, token: str, entry: Entry) -> None:
        """HTCondor gives back the files of a job that has ended."""
        state = (await self.status([token]))[token]
        if state.exit_status is not None and await self._condor.fetch(entry.handle):
            self._staging.ledger.put(token, msgspec.structs.replace(entry, fetched=True))

    # -- states ------------------------------------------------------------------------------------------

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        """By events where there are any; the queue is asked about what they do not tell, and about all at intervals."""
        entries = self._staging.ledger.find(tokens)
        if self._settings.has_log:
            self._tail.read()
        told = {token: self._told(token, entry) for token, entry in entries.items()}
        asked = [token for token, state in told.items() if state is None or self._is_due(token, state)]
        if asked:
            told.update(await self._asked({token: entries[token] for token in asked}))
        self._forget(tokens)
        return {token: self._final(token, entries.get(token), told.get(token)) for token in tokens}

    def _forget(self, tokens: Collection[str]) -> None:
        """What nobody asks about any more: another process cleaned it."""
        if len(self._ended) + len(self._checked) > 2 * (len(tokens) + _KEPT):
            self._ended = {token: state for token, state in self._ended.items() if token in tokens}
            self._checked = {token: at for token, at in self._checked.items() if token in tokens}

    def _told(self, token: str, entry: Entry) -> CeState | None:
        """What is known without asking; None: nothing."""
        if token in self._ended:
            return self._ended[token]
        seen = self._tail.seen.get(entry.handle)
        return None if seen is None else of_seen(token, entry.handle, seen, entry.wall_s)

    def _is_due(self, token: str, state: CeState) -> bool:
        """Events may be lost: a disk was full, somebody emptied the log."""
        since = self._checked.setdefault(token, self._reactor.seconds())
        return state.phase is not Phase.ENDED and self._reactor.seconds() - since >= self._settings.poll_s

    async def _asked(self, entries: Mapping[str, Entry]) -> dict[str, CeState]:
        here = await self._queued(entries)
        left = {token: entry for token, entry in entries.items() if token not in here}
        gone = await self._gone(left)
        found: dict[str, CeState] = {}
        for ads, over in ((gone, True), (here, False)):
            for token, ad in ads.items():
                found[token] = self._known(token, entries[token], of_ad(token, answers.handle_of(ad), ad, gone=over))
                self._checked[token] = self._reactor.seconds()
        return {**{token: CeState(token, Phase.LOST, reason=_UNKNOWN) for token in entries}, **found}

    def _known(self, token: str, entry: Entry, state: CeState) -> CeState:
        if state.handle != entry.handle:  # found by its token: nobody saw its submission end
            self._staging.ledger.put(token, msgspec.structs.replace(entry, handle=state.handle))
        return state

    async def _queued(self, entries: Mapping[str, Entry]) -> dict[str, answers.Ad]:
        tokens = list(entries)
        constraint = by_tokens(self._settings.installation, tokens) if len(tokens) <= _CHUNK \
            else by_installation(self._settings.installation)
        return _by_token(await self._condor.queued(constraint), entries)

    async def _gone(self, entries: Mapping[str, Entry]) -> dict[str, answers.Ad]:
        found: dict[str, answers.Ad] = {}
        for some in chunks(list(entries), _CHUNK):
            handles = [entries[token].handle for token in some]
            constraint = by_handles(handles) if all(handles) else by_tokens(self._settings.installation, some)
            found |= _by_token(await self._condor.gone(constraint, len(some)), entries)
        return found

    def _final(self, token: str, entry: Entry | None, state: CeState | None) -> CeState:
        if entry is None or state is None:
            self._ended.pop(token, None)
            return CeState(token, Phase.LOST, reason=_UNKNOWN)
        if state.phase is not Phase.ENDED:
            return state
        if entry.cancelled and state.exit_status is None:
            state = msgspec.structs.replace(state, reason=_CANCELLED)
        self._ended[token] = state
        return state

    # -- ends --------------------------------------------------------------------------------------------

    async def cancel(self, tokens: Collection[str]) -> None:
        entries = {token: entry for token, entry in self._staging.ledger.find(tokens).items()
                   if token not in self._ended}
        for token, entry in entries.items():
            if not entry.cancelled:
                self._staging.ledger.put(token, msgspec.structs.replace(entry, cancelled=True))
        again = [token for token, entry in entries.items() if entry.cancelled]
        await self._remove(list(entries))
        await self._force(again)

    async def _remove(self, tokens: Sequence[str]) -> None:
        for some in chunks(tokens, _CHUNK):
            await self._condor.remove(f"{by_tokens(self._settings.installation, some)} && JobStatus =!= 3")

    async def _force(self, tokens: Sequence[str]) -> None:
        """Those that were to be removed before, and still are: what is left of them elsewhere is given up."""
        for some in chunks(tokens, _CHUNK):
            constraint = by_tokens(self._settings.installation, some)
            now = self._reactor.seconds()
            stuck = [str(ad["WmsToken"]) for ad in await self._condor.queued(constraint, _LEAVING)
                     if is_leaving(ad) and now - _since(ad) > _STUCK_S]
            if stuck:
                await self._condor.remove(by_tokens(self._settings.installation, stuck), force=True)

    async def clean(self, tokens: Collection[str]) -> None:
        """What may still be in the queue is removed first; a spooled job stays there until it is."""
        in_queue = [token for token in tokens if self._settings.spool_files or token not in self._ended]
        await self._remove(in_queue)
        self._staging.forget(tokens, self._submissions.log)
        for token in tokens:
            self._ended.pop(token, None)
            self._checked.pop(token, None)

    # -- the CE ------------------------------------------------------------------------------------------

    async def known(self) -> list[str]:
        """Ours by the ledger, and by the queue: there may be jobs of a spool that was lost."""
        ads = await self._condor.queued(by_installation(self._settings.installation), ("WmsToken", "JobStatus"))
        return sorted({*self._staging.ledger.tokens(), *(str(ad["WmsToken"]) for ad in ads if not is_leaving(ad))})

    async def describe(self) -> list[dict[str, Any]]:
        schedd = our_schedd(self._settings, self._settings.host, await self._condor.schedds())
        jobs = await self._condor.queued(by_installation(self._settings.installation), ("JobStatus", "WmsQueue"))
        wanted = {queue.constraint for queue in self._settings.queues.values()}
        slots = {constraint: await self._condor.slots(constraint) for constraint in wanted}
        return [glue(facts(self._settings, name, self._settings.host, schedd, slots[queue.constraint], jobs))
                for name, queue in self._settings.queues.items()]


_LEAVING = ("WmsToken", "JobStatus", "EnteredCurrentStatus")
_STUCK_S = 600.0
"""A removal that takes longer is stuck."""


def _since(ad: Mapping[str, Any]) -> float:
    value = ad.get("EnteredCurrentStatus")
    return float(value) if isinstance(value, int | float) else 0.0


def _by_token(ads: Iterable[answers.Ad], wanted: Collection[str]) -> dict[str, answers.Ad]:
    """Of several jobs with one token the last submitted counts; they come in the order of their ids or against it."""
    found: dict[str, answers.Ad] = {}
    for ad in sorted(ads, key=lambda ad: (ad.get("ClusterId", 0), ad.get("ProcId", 0))):
        token = ad.get("WmsToken")
        if token in wanted:
            found[str(token)] = ad
    return found
