"""What spool and batch system say together of one job. Pure.

Not here: asking either of them.
"""

from __future__ import annotations

import msgspec

from wms.ce import CeState, Phase
from wms.ce.batch.dialect import Row

__all__ = ["CANCELLED", "Entry", "is_over", "told"]

CANCELLED = "cancelled"


class Entry(msgspec.Struct, frozen=True):
    """What the spool has of a job. `status` and `node` are those of its job script, once it has ended."""

    handle: str = ""
    account: str = ""
    status: int | None = None
    node: str = ""
    ended: bool = False
    present: bool = False
    cancelled: bool = False


def is_over(row: Row | None) -> bool:
    """Nothing more will come of it: the batch system lists it as ended, or not at all."""
    return row is None or row.phase is Phase.ENDED


def told(token: str, entry: Entry | None, row: Row | None, handle: str) -> CeState:
    """The state of a token. `entry`: what the spool has of it; `row`: the job `handle` in a list or in the accounts.

    A job script that ended well counts at once; the end of another waits for the batch system, which may know why.
    """
    if entry is None or not entry.present:
        return CeState(token, Phase.LOST, reason="this CE does not know it")
    if entry.ended and (is_over(row) or entry.status == 0):
        return _ended(token, entry, row, handle)
    if row is not None and row.phase is not Phase.ENDED:
        return CeState(token, row.phase, handle, node=row.node, reason=row.reason)
    if row is not None or entry.cancelled:
        return _ended(token, entry, row, handle)
    unknown = f"the batch system does not know the job {handle}" if handle else "stopped before it was handed over"
    return CeState(token, Phase.LOST, handle, reason=unknown)


def _ended(token: str, entry: Entry, row: Row | None, handle: str) -> CeState:
    status, reason, node = entry.status, "", entry.node
    usage = row.usage if row else None
    if row is not None:
        reason = row.reason or ("" if entry.ended else f"the job script left no status; {row.detail}")
        status, node = status if entry.ended else row.exit_status, node or row.node
    if entry.cancelled and (row is None or row.cancelled or not row.reason):
        reason = CANCELLED
    return CeState(token, Phase.ENDED, handle, status, node, reason, usage)
