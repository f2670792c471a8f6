"""Events into Logging & Bookkeeping over HTTPS."""

from __future__ import annotations

from wms.operations.row import Operation, Record, lb


class RefusedLine(Record, frozen=True):
    """A line that was not stored: its number from 1, the code of the error, its reason in words.

    A `permanent` refusal will be repeated for ever; otherwise send the line again later. `lb_code` is the number
    of what is wrong with the form of an event (1401 to 1405).
    """

    line: int
    code: str
    reason: str
    permanent: bool
    lb_code: int = 0


class Logged(Record, frozen=True):
    """All lines that are not refused are on disk: events that are new, and events that were there before."""

    stored: int
    duplicates: int
    refused: tuple[RefusedLine, ...] = ()


class LastCode(Record, frozen=True):
    """The last sequence code of a job, and the `next` one for an event of the source that was named."""

    job: str
    code: str
    next: str = ""


ROWS: tuple[Operation, ...] = (
    lb("log", "POST", "/lb/v1/events", "logger",
        "Store events, one a line, as JSON (see wms.event) or ULM. A line that is refused keeps no other from being "
        "stored. The user is the caller, or the job's owner when the token of its attempt is shown.",
        reply=Logged, stream="up"),
    lb("sequence_code", "GET", "/lb/v1/jobs/{unique}/sequence-code", "logger",
        "The sequence code from which somebody who was given none goes on.",
        reply=LastCode, query=("source",)),
)
