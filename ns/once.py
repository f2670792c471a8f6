"""Idempotency: a call repeated with the same key gets the first answer and has no second effect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import msgspec
import sqlalchemy as sa

from ns import store
from wms.errors import IdempotencyConflict
from wms.httpd import Call
from wms.identity import canonical_dn
from wms.operations import Record

R = TypeVar("R", bound=Record)


def once(conn: sa.Connection, call: Call, now: float, keep_s: float, kind: type[R],
         effect: Callable[[], R]) -> R:
    """`effect()`, unless this caller's key already had it: then its reply. In the effect's transaction."""
    before = answered(conn, call, kind)
    if before is not None:
        return before
    reply = effect()
    store.put_reply(conn, _owner(call), call.key, _request(call), msgspec.json.encode(reply), now + keep_s)
    return reply


def answered(conn: sa.Connection, call: Call, kind: type[R]) -> R | None:
    """The first answer, if this caller's key had one; raises IdempotencyConflict if it was to another request."""
    before = store.reply(conn, _owner(call), call.key)
    if before is None:
        return None
    if before[0] != _request(call):
        raise IdempotencyConflict("This Idempotency-Key was used for another request.",
                                  hint="Make a new key for each new request.")
    return msgspec.json.decode(before[1], type=kind)


def _owner(call: Call) -> str:
    return hashlib.sha256(canonical_dn(call.user.dn).encode()).hexdigest()


def _request(call: Call) -> str:
    return hashlib.sha256(msgspec.json.encode([call.operation.name, dict(call.params), call.body])).hexdigest()
