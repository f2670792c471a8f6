"""What the Workload Manager is told when a message about a job is set aside for good. Pure: not the burying."""

from __future__ import annotations

import msgspec

from wms.messages.submission import Buried
from wms.messages.topics import JOBADAPTER, LOGMONITOR, NS, NS_NODES, WM

TOLD = frozenset({NS, NS_NODES, WM, JOBADAPTER, LOGMONITOR})
"""Topics on which a job's way may depend."""
LONGEST = 500


class _Known(msgspec.Struct, frozen=True):
    """What many records have, were they as they should be."""

    type: object = ""
    attempt: object = 0
    outcome: object = ""
    sequence_code: object = ""
    nodes: object = ()
    since: object = 0.0


def notice(topic: str, job: str, body: bytes, error: str) -> Buried | None:
    """The message to the WM; None if nothing depends on it. `error` may be a traceback: its last line counts."""
    try:
        known = msgspec.json.decode(body, type=_Known)
    except msgspec.DecodeError:
        known = _Known()
    if topic not in TOLD or not job or known.type == Buried.__name__:
        return None
    line = error.strip().rpartition("\n")[2][:LONGEST]
    attempt = known.attempt if isinstance(known.attempt, int) else 0
    return Buried(topic, job, _text(known.type), line, attempt, _text(known.outcome), _text(known.sequence_code),
                  _nodes(known.nodes), known.since if isinstance(known.since, float) else 0.0)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _nodes(value: object) -> tuple[int, ...]:
    """From indices (Release) or from records with an index each (SubmitNodes)."""
    found = [one.get("node") if isinstance(one, dict) else one for one in value] if isinstance(value, list) else []
    return tuple(one for one in found if isinstance(one, int))
