"""Checkpointable jobs: a payload saves its state here, and the next attempt goes on from it.

A state is a row and an event of the same transaction. What it means is for `ns.checkpoint_state`.
"""

from __future__ import annotations

import sqlalchemy as sa

from ns import checkpoint_state, store
from ns.application import PER_S, Rate, application_event
from ns.running import attempt_of, check_live, check_open, place
from wms.authz.relations import require
from wms.errors import NotFound, Overloaded, Refused, SandboxTooLarge
from wms.httpd import Call, Page
from wms.jdl.described import described
from wms.operations import Empty
from wms.operations.checkpoints import Checkpoint
from wms.outbox import Outbox
from wms.service import Kit

MAX_TAG = 255
_TABLE = store.checkpoints


class Checkpoints:
    """The operations."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._rate = Rate()

    async def saved(self, call: Call) -> Checkpoint:
        """For the owner: the last state, or an earlier one."""
        return await self._kit.database.read(_saved, call)

    async def load(self, call: Call) -> Page:
        """For the payload: where to go on."""
        found = await self._kit.database.read(_of_attempt, *attempt_of(call))
        return Page(checkpoint_state.to_lines(found).encode(), "text/plain; charset=utf-8")

    async def save(self, call: Call) -> Empty:
        """From the payload."""
        limit, now = self._kit.settings.ns.max_checkpoint_bytes, self._kit.now()
        if call.length > limit:
            raise SandboxTooLarge(f"A saved state has at most {limit} bytes.", limit=limit, value=call.length)
        if not self._rate.admits(attempt_of(call), now):
            raise Overloaded(f"At most {PER_S:g} states a second are taken of one attempt.", hint="Try again later.")
        try:
            state = checkpoint_state.from_lines(call.content.read().decode())
        except UnicodeDecodeError:
            raise Refused("The state of the job cannot be used: it is not UTF-8 text.") from None
        return await self._kit.database.transact(self._save, call, state, now)

    def _save(self, conn: sa.Connection, call: Call, state: checkpoint_state.State, now: float) -> Empty:
        id, number = attempt_of(call)
        job, row, tag = store.job(conn, id, change=True), check_live(conn, id, number), call.params["tag"][:MAX_TAG]
        _require_checkpointable(job)
        text = checkpoint_state.to_text(state, job.job)
        last = _row(conn, id, 0)
        if last is not None and (last.attempt, last.tag, last.state) == (number, tag, text):
            return Empty()
        made = application_event(job.job, job.owner, row.sequence_code, {
            ":event": "Chkpt", "tag": tag, "classad": text}, now)
        store.put_attempt(conn, row._replace(sequence_code=made.seqcode))
        serial = 1 if last is None else last.number + 1
        conn.execute(_TABLE.insert(), {"id": id, "number": serial, "attempt": number, "tag": tag, "state": text,
                                       "at": now})
        oldest = serial - self._kit.settings.ns.max_checkpoints
        conn.execute(_TABLE.delete().where(_TABLE.c.id == id, _TABLE.c.number <= oldest))
        with Outbox(conn, now) as out:
            out.log([made])
        return Empty()


def _of_attempt(conn: sa.Connection, id: str, number: int) -> checkpoint_state.State:
    check_open(conn, id, number)
    return _latest(conn, id)


def _saved(conn: sa.Connection, call: Call) -> Checkpoint:
    job = store.job(conn, call.params["unique"])
    require(call, job)
    _require_checkpointable(job)
    back = place(call.query.get("cs", "0"), "cs")
    row = _row(conn, job.id, back)
    if row is not None:
        return Checkpoint(job.job, row.number, row.attempt, row.tag, row.at, row.state)
    if back:
        raise NotFound("Number of step bigger then chkpt logged events.", value=back)
    state = checkpoint_state.initial(described(job.jdl))
    return Checkpoint(job.job, 0, 0, "", job.created, checkpoint_state.to_text(state, job.job))


def _latest(conn: sa.Connection, id: str) -> checkpoint_state.State:
    job = store.job(conn, id)
    _require_checkpointable(job)
    row = _row(conn, id, 0)
    return checkpoint_state.initial(described(job.jdl)) if row is None else checkpoint_state.from_text(row.state)


def _row(conn: sa.Connection, id: str, back: int) -> sa.Row[tuple[str, int, int, str, str, float]] | None:
    """The last state that was saved, or the one `back` before it."""
    return conn.execute(sa.select(_TABLE).where(_TABLE.c.id == id).order_by(_TABLE.c.number.desc())
                        .limit(1).offset(min(back, 10**6))).first()


def _require_checkpointable(job: store.Job) -> None:
    if job.kind != "job" or "Checkpointable" not in described(job.jdl).job_types:
        raise Refused("Checkpointable retrieval not allowed: not a chkpt job.", job=job.job)
