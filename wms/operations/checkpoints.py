"""The operations of checkpointable jobs: states that a payload saves, and the one the next attempt begins with."""

from __future__ import annotations

from wms.operations.jobs import Empty
from wms.operations.row import Operation, Record, ns


class Checkpoint(Record, frozen=True):
    """A saved state: the `number`-th, from 1; 0 is what the job began with. `at` is epoch s, `state` a ClassAd."""

    job: str
    number: int
    attempt: int
    tag: str
    at: float
    state: str


ROWS: tuple[Operation, ...] = (
    ns("checkpoint", "GET", "/jobs/{unique}/state", "owner",
        "The state that was saved last; with `cs`, that many before it.", reply=Checkpoint, query=("cs",)),
    ns("attempt_state", "GET", "/attempts/{unique}/{attempt}/state", "attempt",
        "The state to go on from, for the payload: lines `step LABEL`, `current N`, and `KIND NAME VALUE` with KIND i, "
        "r, b or s.", stream="down"),
    ns("attempt_save_state", "PUT", "/attempts/{unique}/{attempt}/state/{tag}", "attempt",
        "Save the state, in the same lines; it is an event too.", reply=Empty, stream="up"),
)
