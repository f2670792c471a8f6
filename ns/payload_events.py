"""Events that a payload logs about its own job, through the capability of its attempt: read, bounded, sent to LB.

Only what an application may say of itself, as its owner; who else may log what is decided by LB.
"""

from __future__ import annotations

import hashlib

import msgspec
import sqlalchemy as sa

from ns import store
from ns.application import PER_S, Rate, application_event, pairs
from wms.errors import NotAllowedNow, Overloaded, SandboxTooLarge
from wms.httpd import Call
from wms.operations.jobs import EventLogged
from wms.outbox import Outbox
from wms.seqcode import SequenceCode, Source
from wms.service import Kit

MAX_BYTES = 65_536


class PayloadEvents:
    """The operation `ns.attempt_events`."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._rate = Rate()

    async def log(self, call: Call) -> EventLogged:
        if call.length > MAX_BYTES:
            raise SandboxTooLarge(f"An event has at most {MAX_BYTES} bytes.", limit=MAX_BYTES)
        assert call.capability is not None
        id, number, now = call.params["unique"], call.capability.attempt, self._kit.now()
        if not self._rate.admits((id, number), now):
            raise Overloaded(f"At most {PER_S:g} events a second are taken of one attempt.", hint="Try again later.")
        given = pairs(call.content.read())
        return await self._kit.database.transact(self._log, id, number, given, call.key, now)

    def _log(self, conn: sa.Connection, id: str, number: int, given: dict[str, str], key: str,
             now: float) -> EventLogged:
        job = store.job(conn, id, change=True)
        whose = hashlib.sha256(f"attempt {number} of {job.job}".encode()).hexdigest()
        before = store.reply(conn, whose, key)
        if before is not None:
            return msgspec.json.decode(before[1], type=EventLogged)
        row = store.attempt(conn, id, number) or store.Attempt(id, number)
        if row.reported is not None or row.closed is not None or job.phase != store.STARTED:
            raise NotAllowedNow("This attempt is over.", value=number)
        made = application_event(job.job, job.owner, row.sequence_code or job.sequence_code, given, now)
        store.put_attempt(conn, row._replace(sequence_code=made.seqcode))
        reply = EventLogged(str(SequenceCode.parse(made.seqcode).advanced(Source.APPLICATION)))
        store.put_reply(conn, whose, key, "", msgspec.json.encode(reply),
                        now + self._kit.settings.ns.idempotency_keep_s)
        with Outbox(conn, now) as out:
            out.log([made])
        return reply
