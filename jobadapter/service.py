"""The Job Adapter as a daemon: one reader that submits, kills, cleans and renews, in batches per backend.

A submission is repeatable: the CE knows our token, so a crash between asking and recording asks again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, assert_never

import msgspec
import sqlalchemy as sa

from jobadapter import store
from jobadapter.adapt import Surroundings, adapt
from jobadapter.carried import Carried, carried, renewed
from jobadapter.trust import issuers
from jobadapter.wrapper import Retry
from wms.capability import issue
from wms.ce import Backend, CeJob, Rejected, Submitted
from wms.consumer import EffectConsumer, Record
from wms.errors import JdlError, Refused, Unavailable
from wms.eventlog import Journal
from wms.messages import (
    JOBADAPTER,
    LOGMONITOR,
    Clean,
    Kill,
    NotPlaced,
    ProxyRenewed,
    Run,
    Watch,
    decode,
)
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import SequenceCode, Source
from wms.service import Daemon, Kit, Ticker

BATCH = 50
RETRY_CE_S = 15.0
MAX_TRIES = 40
FORGET_AFTER_S = 86_400.0
RENEWED = 200
"""Jobs that get their fresh credential in one call."""

Verdict: TypeAlias = "Submitted | Rejected | Hopeless | Unavailable"


def make(kit: Kit) -> Daemon:
    """The daemon `jobadapter`."""
    adapter = Adapter(kit)

    async def forget() -> None:
        await kit.database.transact(store.forget, kit.now() - FORGET_AFTER_S)

    return Daemon("jobadapter", [
        EffectConsumer(kit, JOBADAPTER, adapter.act, batch=BATCH),
        Ticker(kit, "forget", 3600.0, forget),
    ])


@dataclass(frozen=True, slots=True)
class Hopeless:
    """No CE can be asked for this attempt, and another attempt cannot heal it."""

    token: str
    reason: str


@dataclass(slots=True)
class Batch:
    """A batch of messages by kind."""

    runs: list[Run] = field(default_factory=list)
    kills: list[Kill] = field(default_factory=list)
    cleans: list[Clean] = field(default_factory=list)
    renewals: list[ProxyRenewed] = field(default_factory=list)


class Adapter:
    """Handler of the topic `jobadapter`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        settings = kit.settings
        retry = Retry(settings.jobadapter.copy_retries, settings.jobadapter.copy_first_wait_s)
        trusted = issuers(settings.tls.certificate, settings.tls.ca_dir)
        self._around = Surroundings(settings.ns_url(), trusted, retry, settings.ns.max_output_bytes,
                                    settings.ns.min_perusal_s, settings.ns.max_perusal_bytes)

    async def act(self, messages: Sequence[Message]) -> Record:
        batch = _sorted(messages)
        await self._stop(batch.kills)
        verdicts = await self._submit(batch.runs)
        await self._clean(batch.cleans)
        for renewal in batch.renewals:
            await self._renew(renewal)
        now = self._kit.now()
        return lambda conn: self._record(conn, verdicts, now)

    # -- submit ------------------------------------------------------------------------------------------

    async def _submit(self, runs: Sequence[Run]) -> list[tuple[Run, Verdict]]:
        rows = [self._row(run, store.INTENDED) for run in runs]
        phases = await self._kit.database.transact(store.intend, rows) if rows else {}
        verdicts: list[tuple[Run, Verdict]] = []
        by_backend: dict[str, list[tuple[Run, CeJob]]] = defaultdict(list)
        for run, row in zip(runs, rows, strict=True):
            match self._prepared(run, row.token, phases[row.token]):
                case CeJob() as job:
                    by_backend[run.backend].append((run, job))
                case Rejected() | Hopeless() as verdict:
                    verdicts.append((run, verdict))
        for name, jobs in by_backend.items():
            verdicts += await self._hand_over(name, jobs)
        return verdicts

    def _prepared(self, run: Run, token: str, phase: str) -> CeJob | Rejected | Hopeless | None:
        """What the CE is to get; None for what it has."""
        if phase == store.STOPPED:
            return Rejected(token, "stopped before it was handed to the CE", True)
        if phase != store.INTENDED:
            return None
        try:
            return self._adapt(run, token)
        except (JdlError, Refused) as error:
            return Hopeless(token, error.message)

    def _row(self, run: Run, phase: str) -> store.Submission:
        id = run.job.rsplit("/", 1)[-1]
        return store.Submission(id, run.attempt, run.backend, store.token(id, run.attempt), phase,
                                run.credential, self._kit.now())

    def _adapt(self, run: Run, token: str) -> CeJob:
        expires = self._kit.now() + self._kit.settings.jobadapter.capability_s
        capability = issue(self._kit.secret, run.job, run.attempt, expires)
        has = carried(self._kit.credentials, run.credential)
        return adapt(run, token, capability, has.proxy, _code_after_transfer(run), self._around,
                     has.bearer)

    async def _hand_over(self, name: str, jobs: Sequence[tuple[Run, CeJob]]) -> list[tuple[Run, Verdict]]:
        runs = [run for run, _ in jobs]
        backend = self._kit.backends.get(name)
        if backend is None:
            return [(run, Rejected(job.token, f"no backend {name} is configured", True)) for run, job in jobs]
        try:
            return list(zip(runs, await backend.submit([job for _, job in jobs]), strict=True))
        except Unavailable as error:
            self._kit.log.warn("{backend} does not take jobs now: {error}", backend=name, error=error.message)
            return [(run, error) for run in runs]

    def _record(self, conn: sa.Connection, verdicts: Sequence[tuple[Run, Verdict]], now: float) -> None:
        with Outbox(conn, now) as out:
            for run, verdict in verdicts:
                self._record_one(out, run, verdict)

    def _record_one(self, out: Outbox, run: Run, verdict: Verdict) -> None:
        match verdict:
            case Submitted(token=token, handle=handle):
                self._submitted(out, run, token, handle)
            case Rejected(token=token, reason=reason):
                self._refused(out, run, token, reason)
            case Hopeless(token, reason):
                self._refused(out, run, token, reason, retry=False)
            case Unavailable() if run.tries < MAX_TRIES:
                again = msgspec.structs.replace(run, tries=run.tries + 1)
                out.send(JOBADAPTER, again, run.job, delay_s=RETRY_CE_S)
            case Unavailable(message=reason):
                self._refused(out, run, self._row(run, "").token, reason)
            case _:
                assert_never(verdict)

    def _journal(self, run: Run, now: float) -> Journal:
        return Journal(Source.JOB_CONTROLLER, run.job, run.sequence_code, now, self._kit.host, instance=run.backend)

    def _submitted(self, out: Outbox, run: Run, token: str, handle: str) -> None:
        journal = self._journal(run, out.now)
        journal.add("DeQueued", queue=JOBADAPTER)
        journal.add("Transfer", destination=Source.LRMS.value, dest_host=run.ce.partition(":")[0], job=token,
                    result="OK", dest_jobid=handle)
        if store.find(out.conn, [token])[token].phase == store.STOPPED:  # by another process, while we submitted
            out.send(JOBADAPTER, Kill(run.job, run.attempt), run.job)
        store.mark(out.conn, [token], store.SUBMITTED, out.now)
        out.log(journal.events)
        out.send(LOGMONITOR, Watch(run.job, run.attempt, run.backend, run.ce, token, handle, journal.code), run.job)

    def _refused(self, out: Outbox, run: Run, token: str, reason: str, *, retry: bool = True) -> None:
        journal = self._journal(run, out.now)
        journal.add("Transfer", destination=Source.LRMS.value, dest_host=run.ce.partition(":")[0], job=token,
                    result="FAIL", reason=reason)
        store.mark(out.conn, [token], store.STOPPED, out.now)
        out.log(journal.events)
        out.send(LOGMONITOR, NotPlaced(run.job, run.attempt, run.ce, reason, journal.code, retry), run.job)

    # -- the rest ----------------------------------------------------------------------------------------

    async def _stop(self, kills: Sequence[Kill]) -> None:
        """Cancel at the CE; an attempt that was not submitted yet never will be."""
        for kill in kills:
            id = kill.job.rsplit("/", 1)[-1]
            row = store.Submission(id, kill.attempt, "", store.token(id, kill.attempt), store.STOPPED, "",
                                   self._kit.now())
            await self._on_backend("cancel", [row.token])
            await self._kit.database.transact(store.stop, row)

    async def _clean(self, cleans: Sequence[Clean]) -> None:
        tokens = [store.token(clean.job.rsplit("/", 1)[-1], clean.attempt) for clean in cleans]
        if tokens:
            await self._on_backend("clean", tokens)
            await self._kit.database.transact(store.mark, tokens, store.STOPPED, self._kit.now())

    async def _on_backend(self, verb: str, tokens: Sequence[str]) -> None:
        found = await self._kit.database.read(store.find, tokens)
        for name, group in _by_backend([found[token] for token in tokens if token in found]).items():
            if name in self._kit.backends:
                await getattr(self._kit.backends[name], verb)(group)

    async def _renew(self, message: ProxyRenewed) -> None:
        """The fresh credential reaches every job that runs under it. While a CE is away the message stays, for as long
        as messages do; one whose credential is gone by now has nothing to bring."""
        rows = await self._kit.database.read(store.live, message.credential)
        fresh = renewed(self._kit.credentials, message.credential, message.kind)
        if fresh == Carried():
            return
        away: Unavailable | None = None
        for name, tokens in _by_backend(rows).items():
            try:
                if (backend := self._kit.backends.get(name)) is not None:
                    await _renew_at(backend, tokens, fresh)
            except Unavailable as error:
                away = error
        if away is not None:
            raise away



async def _renew_at(backend: Backend, tokens: Sequence[str], fresh: Carried) -> None:
    """A portion of the jobs at a time."""
    for first in range(0, len(tokens), RENEWED):
        await backend.renew(tokens[first : first + RENEWED], fresh.proxy, fresh.bearer)


def _by_backend(rows: Sequence[store.Submission]) -> dict[str, list[str]]:
    """Tokens by the name of their backend."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        found[row.backend].append(row.token)
    return found


def _code_after_transfer(run: Run) -> str:
    """The code that our Transfer OK will carry: the wrapper's events come after it, in logical order too."""
    code = SequenceCode.parse(run.sequence_code)
    return str(code.advanced(Source.JOB_CONTROLLER).advanced(Source.JOB_CONTROLLER))


def _sorted(messages: Sequence[Message]) -> Batch:
    batch = Batch()
    for message in messages:
        match decode(message.body):
            case Run() as run:
                batch.runs.append(run)
            case Kill() as kill:
                batch.kills.append(kill)
            case Clean() as clean:
                batch.cleans.append(clean)
            case ProxyRenewed() as renewal:
                batch.renewals.append(renewal)
            case other:
                raise TypeError(f"the Job Adapter does not take {type(other).__name__}")
    return batch
