"""Hands attempts to their CEs: intention, submission, record. A submission is repeatable, for the CE knows our token.

A CE that does not take jobs now is a timer: the attempt waits, then the job is offered to be matched again. Nothing
of that is a failure, and no retry is consumed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, assert_never

import msgspec

from jobadapter import store
from jobadapter.adapt import Surroundings, adapt
from jobadapter.carried import carried
from jobadapter.together import together
from jobadapter.trust import issuers
from jobadapter.wrapper import Retry
from wms.capability import issue
from wms.ce import Backend, CeJob, Later, Rejected, Submitted
from wms.ce.guard import Guarded
from wms.errors import JdlError, Refused, Unavailable
from wms.eventlog import Journal
from wms.faults import owned
from wms.messages.attempts import Close, Kill, NotPlaced, Run, Watch
from wms.messages.topics import JOBADAPTER, LOGMONITOR, NS
from wms.outbox import Outbox
from wms.seqcode import SequenceCode, Source
from wms.service import Kit

RETRY_CE_S = 15.0
LONGEST_RETRY_S = 120.0
"""Before an attempt is offered to its CE again; jobs that wait for the same CE come back apart."""
THROTTLED = 6.0
"""Who is kept waiting by a limit waits so many times as long as who waits for a silent CE."""
FULL_S = 30.0


@dataclass(frozen=True, slots=True)
class Hopeless:
    """No CE can be asked for this attempt, and another attempt cannot heal it."""

    token: str
    reason: str


Verdict: TypeAlias = "Submitted | Rejected | Hopeless | Later | Unavailable"


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of a Run; its intention is from `since` (epoch s)."""

    run: Run
    since: float
    verdict: Verdict


class Submitting:
    """`submit` works outside, `record` in a transaction."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        settings = kit.settings
        retry = Retry(settings.jobadapter.copy_retries, settings.jobadapter.copy_first_wait_s)
        trusted = issuers(settings.tls.certificate, settings.tls.ca_dir)
        self._around = Surroundings(settings.ns_url(), trusted, retry, settings.ns.max_output_bytes,
                                    settings.ns.min_perusal_s, settings.ns.max_perusal_bytes,
                                    settings.jobadapter.memory_period_s, settings.jobadapter.software)

    async def submit(self, runs: Sequence[Run]) -> list[Tried]:
        rows = [self._row(run) for run in runs]
        known = await self._kit.database.transact(store.intend, rows) if rows else {}
        by_backend: dict[str, list[tuple[Run, store.Submission]]] = defaultdict(list)
        for run, row in zip(runs, rows, strict=True):
            by_backend[run.backend].append((run, known[row.token]))
        found = await together([self._at(name, group) for name, group in by_backend.items()])
        return [tried for group in found for tried in group]

    async def _at(self, name: str, group: Sequence[tuple[Run, store.Submission]]) -> list[Tried]:
        """All for one backend: what may be submitted is, unless it is known to be away."""
        backend, now = self._kit.backends.get(name), self._kit.now()
        away = backend.silence(now) if isinstance(backend, Guarded) else None
        tried, jobs = list[Tried](), list[tuple[Run, float, CeJob]]()
        for run, row in group:
            match self._prepared(run, row, away):
                case CeJob() as job:
                    jobs.append((run, row.changed, job))
                case None:
                    pass
                case verdict:
                    tried.append(Tried(run, row.changed, verdict))
        verdicts = await self._hand_over(name, backend, [job for _, _, job in jobs]) if jobs else []
        return tried + [Tried(run, since, verdict) for (run, since, _), verdict in zip(jobs, verdicts, strict=True)]

    def _prepared(self, run: Run, row: store.Submission,
                  away: Unavailable | None) -> CeJob | Rejected | Hopeless | Unavailable | None:
        """What the CE is to get; None for what it has."""
        if row.phase == store.STOPPED:
            return Rejected(row.token, "stopped before it was handed to the CE", True)
        if row.phase != store.INTENDED:
            return None
        if away is not None:
            return away
        try:
            return self._adapt(run, row.token)
        except (JdlError, Refused) as error:
            return Hopeless(row.token, error.message)

    def _row(self, run: Run) -> store.Submission:
        id = run.job.rsplit("/", 1)[-1]
        return store.Submission(id, run.attempt, run.backend, store.token(id, run.attempt), store.INTENDED,
                                run.credential, self._kit.now())

    def _adapt(self, run: Run, token: str) -> CeJob:
        expires = self._kit.now() + self._kit.settings.jobadapter.capability_s
        capability = issue(self._kit.secret, run.job, run.attempt, expires)
        has = carried(self._kit.credentials, run.credential)
        return adapt(run, token, capability, has.proxy, _code_after_transfer(run), self._around,
                     has.bearer)

    async def _hand_over(self, name: str, backend: Backend | None, jobs: Sequence[CeJob]) -> list[Verdict]:
        if backend is None:
            return [Rejected(job.token, f"no backend {name} is configured", True) for job in jobs]
        room = await self._room(name, backend, len(jobs))
        full = [Later(job.token, f"{name} has as many jobs of ours as its site allows", FULL_S) for job in jobs[room:]]
        try:
            return [*(await backend.submit(jobs[:room]) if room else ()), *full]
        except Unavailable as error:
            self._kit.log.warn("{backend} does not take jobs now: {error}", backend=name, error=error.message)
            return [error] * room + list[Verdict](full)

    async def _room(self, name: str, backend: Backend, wanted: int) -> int:
        """How many more of ours may be at the CE, `wanted` at most."""
        most = backend.settings.max_submitted if isinstance(backend, Guarded) else 0
        here = await self._kit.database.read(store.at_ce, name) if most else 0
        return min(wanted, max(0, most - here)) if most else wanted

    # -- record ------------------------------------------------------------------------------------------

    def record(self, out: Outbox, tried: Tried) -> None:
        run = tried.run
        match tried.verdict:
            case Submitted(token=token, handle=handle):
                self._submitted(out, run, token, handle)
            case Rejected(token=token, reason=reason):
                self._refused(out, run, token, reason)
            case Hopeless(token, reason):
                self._refused(out, run, token, reason, retry=False)
            case Later(reason=reason, wait_s=after_s):
                self._later(out, tried, reason, after_s, THROTTLED)
            case Unavailable(message=reason) as error:
                self._later(out, tried, reason, float(error.details.get("retry_s", 0.0)), 1.0)
            case _:
                assert_never(tried.verdict)

    def _later(self, out: Outbox, tried: Tried, reason: str, after_s: float, patience: float) -> None:
        """The intention stays, until the job is matched again or cancelled: only then is the attempt stopped."""
        run, limit_s = tried.run, self._kit.settings.jobadapter.untaken_s * patience
        returned = run.returned
        if out.now - max(tried.since, returned) >= limit_s:
            returned = out.now
            said = f"{run.ce} did not take the job for {limit_s:.0f} s: {reason}"
            out.send(NS, Close(run.job, run.attempt, said, run.sequence_code, replan=True, untaken=True), run.job)
        delay_s = RETRY_CE_S
        if after_s > RETRY_CE_S:
            delay_s = min(after_s, LONGEST_RETRY_S) * (1.0 + self._kit.rng.random() / 4.0)
        out.send(JOBADAPTER, msgspec.structs.replace(run, tries=run.tries + 1, returned=returned), run.job,
                 delay_s=delay_s)

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
                    result="FAIL", reason=reason, **owned(reason))
        store.mark(out.conn, [token], store.STOPPED, out.now)
        out.log(journal.events)
        out.send(LOGMONITOR, NotPlaced(run.job, run.attempt, run.ce, reason, journal.code, retry), run.job)


def _code_after_transfer(run: Run) -> str:
    """The code that our Transfer OK will carry: the wrapper's events come after it, in logical order too."""
    code = SequenceCode.parse(run.sequence_code)
    return str(code.advanced(Source.JOB_CONTROLLER).advanced(Source.JOB_CONTROLLER))
