"""What wrappers ask of us: input files, the one start of an attempt, output files, the last word.

The start is a row: it is taken once, by one wrapper process (its nonce), unless the attempt was closed before.
"""

from __future__ import annotations

import signal

import sqlalchemy as sa

from ns import files, store
from ns.beginnings import Beginnings
from ns.running import attempt_of, check_live, check_open
from wms.errors import NotAllowedNow, NotFound, SandboxTooLarge
from wms.eventlog import Journal
from wms.faults import owned
from wms.httpd import Call, FileReply
from wms.messages.attempts import Close, Reported
from wms.messages.submission import Resubmit
from wms.messages.topics import LOGMONITOR, WM
from wms.operations import Empty, File, OutcomeReport, StartGranted, StartRequest
from wms.outbox import Outbox
from wms.sandbox import check_name
from wms.seqcode import Source
from wms.service import Kit
from wms.usage import reported


class Attempts:
    """The operations of right `attempt`; the capability has been verified before."""

    def __init__(self, kit: Kit, beginnings: Beginnings) -> None:
        self._kit = kit
        self._beginnings = beginnings

    async def input(self, call: Call) -> FileReply:
        (id, number), name = attempt_of(call), call.params["name"]
        for file, received in await self._kit.database.read(_inputs, id, number):
            if file.name == name and received:
                path = files.place(self._kit.settings.state_dir, id, store.INPUT, 0, name)
                return FileReply(str(path), file.size, file.sha256)
        raise NotFound(f"There is no input file {name[:200]}.")

    async def start(self, call: Call) -> StartGranted:
        body, (id, number) = call.body, attempt_of(call)
        assert isinstance(body, StartRequest)
        return await self._kit.database.transact(self._start, id, number, body, self._kit.now())

    def _start(self, conn: sa.Connection, id: str, number: int, body: StartRequest, now: float) -> StartGranted:
        job, row = store.job(conn, id, change=True), store.attempt(conn, id, number) or store.Attempt(id, number)
        over = row.closed is not None or row.reported is not None
        if row.started is not None and row.nonce == body.nonce and not over:
            return StartGranted(True, row.sequence_code)
        if row.started is not None or over or job.cancelled or job.phase != store.STARTED:
            raise NotAllowedNow("This attempt was started before, closed or cancelled.", value=number)
        journal = self._journal(job, body.sequence_code, now)
        journal.add("Running", node=body.node or "unknown")
        journal.add("ReallyRunning")
        store.put_attempt(conn, row._replace(nonce=body.nonce, started=now, sequence_code=journal.code))
        with Outbox(conn, now) as out:
            out.log(journal.events)
        self._beginnings.note(id, number, now)
        return StartGranted(True, journal.code)

    def _journal(self, job: store.Job, code: str, now: float) -> Journal:
        return Journal(Source.LRMS, job.job, code or job.sequence_code, now, self._kit.host, job.owner)

    async def output(self, call: Call) -> File:
        id, number = attempt_of(call)
        name, limits = check_name(call.params["name"]), self._kit.settings.ns
        here = await self._kit.database.read(self._room, id, number, name)
        room = limits.max_output_bytes - sum(file.size for file in here)
        if call.length > room or len(here) >= limits.max_output_files:
            raise SandboxTooLarge(f"The output sandbox has no room for {name}.", limit=limits.max_output_bytes)
        target = files.place(self._kit.settings.state_dir, id, store.OUTPUT, number, name)
        file = await self._kit.thread(files.store, call.content, target, name, limit=room,
                                      expected=files.digest_header(call.digest))
        await self._kit.database.transact(self._stored, id, number, file)
        return file

    @staticmethod
    def _room(conn: sa.Connection, id: str, number: int, name: str) -> list[File]:
        """The other output files of the attempt, which must have been started and be open."""
        check_live(conn, id, number)
        return [file for file, _ in store.sandbox(conn, id, store.OUTPUT, number) if file.name != name]

    def _stored(self, conn: sa.Connection, id: str, number: int, file: File) -> None:
        self._room(conn, id, number, file.name)
        store.put_output(conn, id, number, file)

    async def done(self, call: Call) -> Empty:
        body, (id, number) = call.body, attempt_of(call)
        assert isinstance(body, OutcomeReport)
        return await self._kit.database.transact(self._done, id, number, body, self._kit.now())

    def _done(self, conn: sa.Connection, id: str, number: int, body: OutcomeReport, now: float) -> Empty:
        job, row = store.job(conn, id, change=True), store.attempt(conn, id, number) or store.Attempt(id, number)
        stranger = row.started is not None and row.nonce != body.nonce
        if row.reported is not None or row.closed is not None or stranger:
            return Empty()
        journal = self._journal(job, body.sequence_code or row.sequence_code, now)
        for resource, quantity, unit in reported(body):
            journal.add("ResourceUsage", resource=resource, quantity=quantity, unit=unit)
        journal.add("Done", **_ending(body))
        store.put_attempt(conn, row._replace(reported=now))
        with Outbox(conn, now) as out:
            out.log(journal.events)
            out.send(LOGMONITOR, Reported(job.job, number, body), job.job)
        return Empty()


def _inputs(conn: sa.Connection, id: str, number: int) -> list[tuple[File, bool]]:
    check_open(conn, id, number)
    return store.sandbox(conn, id, store.INPUT)


def _ending(body: OutcomeReport) -> dict[str, object]:
    if body.failure:
        return {"status_code": "FAILED", "reason": body.failure, "exit_code": body.exit_code, **owned(body.failure)}
    ended = {"reason": f"the program was ended by {_signal(body.signal)}"} if body.signal else {}
    return {"status_code": "OK", "exit_code": body.exit_code, **ended}


_SIGNALS = frozenset(signal.Signals)


def _signal(number: int) -> str:
    return signal.Signals(number).name if number in _SIGNALS else f"signal {number}"


def close(out: Outbox, message: Close) -> None:
    """From now on no payload of this attempt may start; tell the WM whether one did. One that did is not moved."""
    id = message.job.rsplit("/", 1)[-1]
    store.job(out.conn, id, change=True)
    row = store.attempt(out.conn, id, message.attempt) or store.Attempt(id, message.attempt)
    if message.replan and row.started is not None:
        return
    if row.closed is None:
        store.put_attempt(out.conn, row._replace(closed=out.now))
    out.send(WM, Resubmit(message.job, message.attempt, row.started is not None, message.reason,
                          message.sequence_code, message.retry, message.replan, message.untaken), message.job)
