"""What the Workload Manager is told when a message about a job is set aside for good. Pure: not the burying."""

from __future__ import annotations

import msgspec

from wms.messages import JOBADAPTER, LOGMONITOR, NS, WM, Buried

TOLD = frozenset({NS, WM, JOBADAPTER, LOGMONITOR})
"""Topics on which a job's way may depend."""
LONGEST = 500


class _Known(msgspec.Struct, frozen=True):
    """What many records have."""

    type: str = ""
    attempt: int = 0
    outcome: object = ""
    sequence_code: str = ""


def notice(topic: str, job: str, body: bytes, error: str) -> Buried | None:
    """The message to the WM; None if nothing depends on it. `error` may be a traceback: its last line counts."""
    try:
        known = msgspec.json.decode(body, type=_Known)
    except msgspec.DecodeError:
        known = _Known()
    if topic not in TOLD or not job or known.type == Buried.__name__:
        return None
    outcome = known.outcome if isinstance(known.outcome, str) else ""
    line = error.strip().rpartition("\n")[2][:LONGEST]
    return Buried(topic, job, known.type, line, known.attempt, outcome, known.sequence_code)
