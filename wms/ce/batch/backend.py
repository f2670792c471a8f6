"""A batch system that is commanded by programs as a CE: any one that has a dialect.

What is known of a job is in the spool on the submission host; here are only copies of it. Not here: what differs by
system (dialect), the spool (staging), the commands (system).
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeVar

from twisted.internet import inotify
from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from wms.ce import CeJob, CeState, Rejected, Submitted
from wms.ce.account_pool import Accounts
from wms.ce.accounts import NoAccount
from wms.ce.batch.dialect import Dialect, Refusal, Row
from wms.ce.batch.reading import Entry, is_over, told
from wms.ce.batch.script import TOKEN, Place, job_script
from wms.ce.batch.settings import BatchSettings
from wms.ce.batch.staging import Answer, SpoolFull, Staging
from wms.ce.batch.system import System
from wms.ce.hosts import Host
from wms.ce.published import QueueFacts, glue
from wms.ce.watching import Watching
from wms.errors import Unavailable

__all__ = ["Batch"]

_QUEUE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,63}")
_SPARE = 1000
_LANES = "01"
_STRAY = Entry()

Verdict = Submitted | Rejected
T = TypeVar("T")


class Batch:
    """A `Backend`."""

    def __init__(self, settings: BatchSettings, dialect: Dialect, host: Host, reactor: Any) -> None:
        self._settings = settings
        self._dialect = dialect
        self._host = host
        self._reactor = reactor
        self._staging = Staging(host, settings.spool, settings.timeout_s)
        self._system = System(host, dialect, settings, reactor)
        self._installation = hashlib.sha256(f"{settings.host}:{settings.spool}".encode()).hexdigest()[:8]
        self._accounts = Accounts(settings.accounts, here=settings.ssh is None)
        self._entries: dict[str, Entry] = {}
        self._learned = float("-inf")
        self._prepared = False
        self._wakers: list[Callable[[], None]] = []
        self._watching = Watching(reactor, inotify.IN_MOVED_TO, self._wake)

    # -- life --------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """A host that does not answer now may answer later."""
        await self._host.start()
        try:
            await self._prepare()
        except Unavailable:
            return

    async def _prepare(self) -> None:
        if not self._prepared:
            await self._staging.prepare(shared=bool(self._settings.become))
            self._prepared = True
            self._watch_ends()

    def _watch_ends(self) -> None:
        """Where the spool is a directory of this host, and ends are written on it."""
        ends = f"{self._settings.spool}/ended"
        if self._settings.ssh is None and os.path.isdir(ends):
            self._watching.start([ends])

    def _wake(self) -> None:
        for wake in self._wakers:
            wake()

    def watch(self, wake: Callable[[], None]) -> None:
        self._wakers.append(wake)

    async def stop(self) -> None:
        self._watching.stop()
        self._prepared = False
        await self._host.stop()

    # -- submission --------------------------------------------------------------------------------------

    async def submit(self, jobs: Sequence[CeJob]) -> list[Verdict]:
        await self._prepare()
        verdicts: dict[str, Verdict] = {job.token: refused for job in jobs if (refused := self._unfit(job))}
        fit = {job.token: job for job in jobs if job.token not in verdicts}
        accounts = {token: self._accounts.account(job.owner, job.vo, job.fqans) for token, job in fit.items()}
        verdicts.update({token: Rejected(token, account.reason, account.permanent)
                         for token, account in accounts.items() if isinstance(account, NoAccount)})
        for account, tokens in _by_account({token: a for token, a in accounts.items() if isinstance(a, str)}):
            lanes = _lanes([fit[token] for token in tokens], self._settings.at_most)
            for found in await _gathered([self._in_lanes(account, *lane) for lane in lanes]):
                verdicts.update(found)
        return [verdicts[job.token] for job in jobs]

    async def _in_lanes(self, account: str, lanes: str, jobs: Sequence[CeJob]) -> dict[str, Verdict]:
        verdicts: dict[str, Verdict] = {}
        for first in range(0, len(jobs), self._settings.at_most):
            some = jobs[first : first + self._settings.at_most]
            verdicts.update(await self._hand_over(account, lanes, some))
        return verdicts

    def _unfit(self, job: CeJob) -> Rejected | None:
        if not TOKEN.fullmatch(job.token):
            return Rejected(job.token, "the token is not made of letters, digits, '_' and '-'", True)
        offered = self._settings.queues
        if not _QUEUE.fullmatch(job.queue) or (offered and job.queue not in offered):
            return Rejected(job.token, f"there is no queue {job.queue!r}", True)
        return None

    async def _hand_over(self, account: str, lanes: str, jobs: Sequence[CeJob]) -> dict[str, Verdict]:
        """Two rounds if some were half handed over by somebody who died: the batch system knows them, or not."""
        files = {job.token: self._files(job, account) for job in jobs}
        command, silent = self._dialect.submit(), "|".join(map(re.escape, self._dialect.silent))
        try:
            answers = await self._staging.submit(account, lanes, dict.fromkeys(files), files, silent, command)
            if halfway := [token for token, answer in answers.items() if answer.verb == "halfway"]:
                handles = await self._search(halfway)
                answers |= await self._staging.submit(account, lanes, handles, {}, silent, command)
        except SpoolFull as full:
            raise Unavailable(f"the spool cannot be written: {full}") from None
        if late := next((answer for answer in answers.values() if answer.verb == "later"), None):
            raise Unavailable(f"{command[0]}: {late.text}")
        return {token: self._verdict(token, account, answers.get(token)) for token in files}

    def _files(self, job: CeJob, account: str) -> dict[str, bytes]:
        spool = self._settings.spool
        directives = self._dialect.directives(job, self._name(job.token), f"{spool}/jobs/{job.token}/log")
        batch = job_script(job, Place(spool, account), directives, self._dialect.variable,
                           self._settings.job_environment, self._dialect.warning)
        files = {"script": job.script.encode(), "batch": batch.encode(), "proxy": job.proxy, "token": job.bearer}
        return {name: content for name, content in files.items() if content or name == "script"}

    async def _search(self, tokens: Collection[str]) -> dict[str, str]:
        """Token -> the job of that name, or ""."""
        found = await self._system.search([self._name(token) for token in tokens])
        return {token: found.get(self._name(token), "") for token in tokens}

    def _name(self, token: str) -> str:
        return f"wms-{self._installation}-{token}"

    def _verdict(self, token: str, account: str, answer: Answer | None) -> Verdict:
        if answer is None or answer.verb == "gone":
            return Rejected(token, "it was taken away while it was handed over", False)
        if answer.verb == "no":
            return Rejected(token, answer.text, self._dialect.refusal(answer.text) is Refusal.FINAL)
        handle = self._dialect.handle(answer.text)
        self._learn({token: Entry(handle, account, present=True)})
        return Submitted(token, handle)

    # -- what becomes of them ----------------------------------------------------------------------------

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        await self._prepare()
        await self._find(tokens)
        rows = await self._system.rows(self._learned)
        over = [token for token in tokens if is_over(rows.get(self._handle(token)))]
        entries = await self._staging.entries(over)
        for token in over:
            self._entries.pop(token, None)
        self._entries.update({token: entries[token] for token in tokens if token in entries})
        past = await self._past([token for token in tokens if token in entries], rows)
        self._forget_others(tokens)
        rows = {**rows, **past}
        return {token: self._told(token, rows) for token in tokens}

    def _told(self, token: str, rows: Mapping[str, Row]) -> CeState:
        handle = self._handle(token)
        return told(token, self._entries.get(token), rows.get(handle), handle)

    async def _past(self, tokens: Iterable[str], rows: Mapping[str, Row]) -> Mapping[str, Row]:
        """Accounts of what is over; those that have not caught up yet do not count."""
        handles = [handle for token in tokens if (handle := self._handle(token)) and is_over(rows.get(handle))]
        found = await self._system.past(handles)
        return {handle: row for handle, row in found.items() if is_over(row)}

    def _handle(self, token: str) -> str:
        entry = self._entries.get(token)
        return self._dialect.handle(entry.handle) if entry else ""

    async def _find(self, tokens: Collection[str]) -> dict[str, Entry]:
        """What the spool has of them, as far as it has to be asked."""
        if new := [token for token in tokens if not self._handle(token)]:
            found = await self._staging.entries(new)
            self._learn({token: found[token] for token in new if token in found})
        return {token: self._entries[token] for token in tokens if token in self._entries}

    def _learn(self, entries: Mapping[str, Entry]) -> None:
        """A list of jobs from before does not count for these."""
        if entries:
            self._entries.update(entries)
            self._learned = self._reactor.seconds()

    def _forget_others(self, tokens: Collection[str]) -> None:
        if len(self._entries) > 2 * len(tokens) + _SPARE:
            self._entries = {token: self._entries[token] for token in tokens if token in self._entries}

    async def cancel(self, tokens: Collection[str]) -> None:
        await self._prepare()
        entries = await self._find(tokens)
        await self._staging.cancelled(list(entries))
        await self._end({token: entries.get(token, _STRAY) for token in tokens})

    async def _end(self, entries: Mapping[str, Entry]) -> None:
        """By their names: somebody may have died before he could write down a handle, and a batch system that lost the
        last that it was told gives handles again, to others."""
        handles = await self._search(entries)
        for account, some in _by_account({token: entry.account for token, entry in entries.items()}):
            await self._system.cancel([handles[token] for token in some if handles[token]], account)

    async def clean(self, tokens: Collection[str]) -> None:
        await self._prepare()
        entries = await self._staging.entries(tokens)
        mine = {token: entries[token] for token in tokens if token in entries}
        await self._end({token: entry for token in tokens if not (entry := mine.get(token, _STRAY)).ended})
        for account, some in _by_account({token: entry.account for token, entry in mine.items()}):
            await self._staging.clean(some, account)
            if account:
                await self._staging.clean(some, "")
        for token in tokens:
            self._entries.pop(token, None)

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        await self._prepare()
        credentials = {name: content for name, content in (("proxy", proxy), ("token", bearer)) if content}
        entries = await self._find(tokens)
        for account, some in _by_account({token: entry.account for token, entry in entries.items()}):
            await self._staging.renew(some, account, credentials)

    async def output(self, token: str) -> str:
        await self._prepare()
        entry = (await self._find([token])).get(token)
        return await self._staging.output(token, entry.account) if entry else ""

    async def known(self) -> list[str]:
        """Those in the spool, and those that only the batch system has: a spool may be lost, or an older one."""
        await self._prepare()
        mark = self._name("")
        strays = (name.removeprefix(mark) for name in await self._system.names() if name.startswith(mark))
        return sorted({*await self._staging.known(), *filter(TOKEN.fullmatch, strays)})

    async def describe(self) -> list[dict[str, Any]]:
        settings = self._settings
        most = QueueFacts(host=settings.host or socket.gethostname(), queue="", system=self._dialect.system,
                          implementation=f"wms-{self._dialect.system}", tags=tuple(settings.tags),
                          access_rules=tuple(settings.access_rules), max_running=settings.max_running)
        queues = {queue.queue: queue for queue in await self._system.queues(most)}
        return [glue(queues[name]) for name in settings.queues or queues if name in queues]


def _lanes(jobs: Sequence[CeJob], few: int) -> list[tuple[str, Sequence[CeJob]]]:
    """A few in their order; many side by side, so that the batch system has something to do while commands start.

    The lane of a token is the same in every process: it is never handed over twice at a time.
    """
    if len(jobs) <= few:
        return [(_LANES, jobs)]
    return [(lane, [job for job in jobs if sum(job.token.encode()) % len(_LANES) == int(lane)]) for lane in _LANES]


async def _gathered(works: Iterable[Coroutine[Deferred[Any], Any, T]]) -> list[T]:
    """All results, when all have ended; the first error is raised only then, so that nobody works on unseen."""
    waiting = DeferredList([Deferred.fromCoroutine(work) for work in works], consumeErrors=True)
    ends = await waiting
    for _, result in ends:
        if isinstance(result, Failure):
            result.raiseException()
    return [result for _, result in ends]


def _by_account(accounts: Mapping[str, str]) -> Iterator[tuple[str, list[str]]]:
    """Token -> account, as the tokens of each account."""
    ordered = sorted(accounts.items(), key=lambda item: item[1])
    for account, some in groupby(ordered, key=lambda item: item[1]):
        yield account, [token for token, _ in some]
