"""The operations of interactive jobs: what the user types on its way to the payload, what it prints on its way back."""

from __future__ import annotations

from wms.operations.jobs import Empty
from wms.operations.row import Operation, Record, ns


class Position(Record, frozen=True):
    """How many bytes of a stream are here; the sender goes on from there."""

    have: int


class InputEnd(Record, frozen=True):
    """The input ends after `at` bytes."""

    at: int


ROWS: tuple[Operation, ...] = (
    ns("session_output", "GET", "/jobs/{unique}/session", "owner",
        "What an interactive job prints, as it comes, in lines of JSON: `attempt` (shown from `at`, with `typed` bytes "
        "of input so far and whether they `ended`), `data` in base64 with its place `at`, `over` with the outcome; "
        "empty lines show that it lives. From `at` (a number, or `end`) of `attempt`. The last that came is served, "
        "the one before is told `taken`.", stream="page", query=("attempt", "at"), action="fetch"),
    ns("session_input", "PUT", "/jobs/{unique}/session/{number}/{offset}", "owner",
        "Bytes that the user typed for an attempt, and their place in its input; what is here already is not taken "
        "twice.", reply=Position, stream="up", action="modify"),
    ns("session_close", "PUT", "/jobs/{unique}/session/{number}", "owner",
        "The input of an attempt is complete: the payload reads its end.", request=InputEnd, reply=Empty,
        action="modify"),
    ns("attempt_session_input", "GET", "/attempts/{unique}/{attempt}/session/{offset}", "attempt",
        "What the user typed from there on, for the wrapper: waits a while for more, answers 204 at the end of input.",
        stream="down"),
    ns("attempt_session_output", "PUT", "/attempts/{unique}/{attempt}/session/{offset}", "attempt",
        "What the payload printed, and its place; the answer says how much is here.", reply=Position, stream="up"),
)
