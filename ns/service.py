"""The Network Server as a daemon: its operations, the reader of its topic, and its housekeeping."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from ns import delegation_rows, files, store
from ns.attempts import Attempts, close
from ns.beginnings import Beginnings
from ns.ces import ComputingElements
from ns.checkpoints import Checkpoints
from ns.credential_upkeep import SEARCH_S, CredentialUpkeep
from ns.delegated_tokens import DelegatedTokens
from ns.delegations import Delegations
from ns.jobs import Jobs
from ns.listening import Listening
from ns.matching import ListMatches
from ns.nodes import Nodes, unstarted
from ns.output import Output, clear
from ns.payload_events import PayloadEvents
from ns.perusal import Perusals
from ns.questions import REPLY_TOPICS, Questions
from ns.reasons import Reasons
from ns.rescue import Rescue
from ns.sessions import Sessions
from wms import queue
from wms.consumer import Consumer, EffectConsumer
from wms.eventlog import Journal
from wms.issuers import Issuers
from wms.messages import decode
from wms.messages.attempts import Close, Ended, Release
from wms.messages.credentials import ProxyRenewed, Unregister
from wms.messages.topics import NS, NS_NODES, PROXYRENEWAL, WM
from wms.outbox import Outbox
from wms.queue import Message
from wms.seqcode import Source
from wms.service import Daemon, Kit, Ticker

HOUSEKEEPING_S = 60.0
BATCH = 200
RELEASES = 2
"""Messages of at most 500 nodes that are made jobs in one transaction."""
STALE_REPLY_S = 600.0


def make(kit: Kit) -> Daemon:
    """The daemon `ns`."""
    credentials = CredentialUpkeep(kit)
    questions, delegations, keeper = Questions(kit), Delegations(kit), Keeper(kit, credentials)
    issuers = Issuers(kit)
    tokens = DelegatedTokens(kit, issuers)
    matches, reasons = ListMatches(kit, questions), Reasons(kit, questions)
    ces = ComputingElements(kit, questions)
    beginnings = Beginnings(kit)
    jobs, output, attempts = Jobs(kit, matches), Output(kit), Attempts(kit, beginnings)
    nodes = Nodes(kit)
    listening, perusals, states = Listening(kit.clock), Perusals(kit), Checkpoints(kit)
    sessions = Sessions(kit, listening)
    return Daemon("ns", [
        listening,
        issuers,
        beginnings,
        Consumer(kit, NS, keeper.handle),
        EffectConsumer(kit, NS_NODES, nodes.act, batch=RELEASES),
        Consumer(kit, questions.topic, questions.handle),
        Ticker(kit, "housekeeping", HOUSEKEEPING_S, keeper.tidy),
        Ticker(kit, "credentials", SEARCH_S, credentials.search),
    ], {
        "ns.version": jobs.version, "ns.limits": jobs.limits, "ns.openapi": jobs.openapi,
        "ns.register": jobs.register, "ns.upload": jobs.upload, "ns.start": jobs.start,
        "ns.cancel": jobs.cancel, "ns.list_match": matches.ask,
        "ns.ces": ces.listing, "ns.ce_drain": ces.drain, "ns.ce_resume": ces.resume,
        "ns.ce_check": ces.check, "ns.ce_checked": ces.checked,
        "ns.reason": reasons.one, "ns.reasons": reasons.many,
        "ns.request_delegation": delegations.request, "ns.put_delegation": delegations.put,
        "ns.delegation": delegations.info, "ns.delegations": delegations.listing,
        "ns.job_delegation": delegations.of_job,
        "ns.destroy_delegation": delegations.destroy, "ns.delegate_token": tokens.put, "ns.attempt_token": tokens.fresh,
        "ns.list_output": output.listing, "ns.output": output.get, "ns.purge": output.purge,
        "ns.attempt_input": attempts.input, "ns.attempt_start": attempts.start,
        "ns.attempt_output": attempts.output, "ns.attempt_done": sessions.ending(attempts.done),
        "ns.session_output": sessions.output, "ns.session_input": sessions.input, "ns.session_close": sessions.close,
        "ns.attempt_session_input": sessions.typed, "ns.attempt_session_output": sessions.printed,
        "ns.perusal_set": perusals.set, "ns.perusal": perusals.look, "ns.perusal_piece": perusals.piece,
        "ns.attempt_perusal": perusals.wanted, "ns.attempt_perusal_piece": perusals.add,
        "ns.checkpoint": states.saved, "ns.attempt_state": states.load, "ns.attempt_save_state": states.save,
        "ns.attempt_events": PayloadEvents(kit).log,
        "ns.nodes": nodes.listing, "ns.rescue": Rescue(kit).rescue,
        "ns.attempt_shared": nodes.shared, "ns.attempt_related": nodes.related,
    })


class Keeper:
    """Closes attempts, ends jobs, and lets no phase of a job outlast its deadline."""

    def __init__(self, kit: Kit, credentials: CredentialUpkeep) -> None:
        self._kit = kit
        self._credentials = credentials

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        with Outbox(conn, now) as out:
            for message in messages:
                match decode(message.body):
                    case Close() as request:
                        close(out, request)
                    case Ended() as ended:
                        self._end(out, ended)
                    case ProxyRenewed(credential=credential, not_after=not_after):
                        delegation_rows.renewed(conn, credential, not_after)
                    case Release() as release:  # behind the ends of the nodes whose outputs it needs
                        out.send(NS_NODES, release, release.job)
                    case other:
                        raise TypeError(f"the Network Server does not take {type(other).__name__}")

    def _end(self, out: Outbox, ended: Ended) -> None:
        job = store.job(out.conn, ended.job.rsplit("/", 1)[-1], change=True)
        if job.phase == store.STARTED:
            store.change_job(out.conn, job.id, phase=store.ENDED, outcome=ended.outcome, attempt=ended.attempt,
                             deadline=out.now + self._kit.settings.ns.output_keep_s)
            out.send(PROXYRENEWAL, Unregister(job.job), job.job)

    async def tidy(self) -> None:
        """Abort what was never started, clear what nobody fetched, remove what is cleared and keys that ended."""
        transact, now = self._kit.database.transact, self._kit.now()
        await transact(self._abort_unstarted, now)
        await transact(self._clear_unfetched, now)
        await transact(store.forget_replies, now)
        await transact(queue.drop_stale, REPLY_TOPICS, before=now - STALE_REPLY_S)
        gone = await self._kit.database.read(store.with_files_left, BATCH)
        for id in gone:
            await self._kit.thread(files.remove, self._kit.settings.state_dir, id)
        if gone:
            await transact(store.cleared, gone)
        await self._credentials.tidy()

    def _abort_unstarted(self, conn: sa.Connection, now: float) -> None:
        with Outbox(conn, now) as out:
            for job in store.overdue(conn, store.REGISTERED, now, BATCH):
                journal = Journal(Source.NETWORK_SERVER, job.job, job.sequence_code, now, self._kit.host, job.owner)
                journal.add("Abort", reason="registered but never started: registration expired")
                store.change_job(conn, job.id, phase=store.ENDED, outcome="Aborted",
                                 deadline=now + self._kit.settings.ns.output_keep_s)
                out.log(journal.events)
                if job.kind != store.JOB:
                    out.send(WM, unstarted(job, journal.code, now), job.job)

    def _clear_unfetched(self, conn: sa.Connection, now: float) -> None:
        with Outbox(conn, now) as out:
            for job in store.overdue(conn, store.ENDED, now, BATCH):
                clear(out, job, "TIMEOUT", self._kit.host)
