"""Questions with an answer: the one who asks names its topic, and a number that the answer carries."""

from __future__ import annotations

from typing import Any

import msgspec

from wms.messages.record import Record
from wms.operations import Clause, Reason
from wms.operations.ces import CeList, CheckReport, DrainReply


class ListMatch(Record, frozen=True):
    """The matchmaker's question without a job; the answer goes to `reply_topic`."""

    query: str
    jdl: str
    owner: str
    vo: str
    fqans: tuple[str, ...]
    reply_topic: str
    explain: bool = False


class NodeOf(msgspec.Struct, frozen=True):
    """A node that is no job yet: its identifier, the unique part of its compound, its index there."""

    job: str
    parent: str
    node: int


class Explain(Record, frozen=True):
    """Why do these jobs (identifiers) and nodes not run? The answer goes to `reply_topic`."""

    query: str
    jobs: tuple[str, ...]
    nodes: tuple[NodeOf, ...]
    reply_topic: str


class AskCes(Record, frozen=True):
    """What is known of the CEs, or of one: its id, or the name of a configured CE. The answer goes to `reply_topic`."""

    query: str
    reply_topic: str
    ce: str = ""
    full: bool = False


class DrainCe(Record, frozen=True):
    """No new jobs for this CE, an id or the name of a configured one, on behalf of `by`; `drain` False: it resumes.

    The answer goes to `reply_topic`, if there is one.
    """

    query: str
    reply_topic: str
    ce: str
    by: str
    reason: str = ""
    drain: bool = True


class CheckCe(Record, frozen=True):
    """Check the configured CE `ce`: see `wms.operations.ces.CheckRequest`; `credential` is what is delegated, "" none.

    With `begin` False only the last report is wanted. The answer goes to `reply_topic`.
    """

    query: str
    reply_topic: str
    ce: str
    begin: bool = True
    queue: str = ""
    credential: str = ""
    drain: bool = False
    owner: str = ""
    vo: str = ""
    fqans: tuple[str, ...] = ()


class MatchAnswer(Record, frozen=True):
    query: str
    ces: tuple[tuple[str, float], ...]
    reason: str
    explanation: tuple[tuple[str, int, int], ...] = ()
    error: dict[str, Any] | None = None
    clauses: tuple[Clause, ...] = ()


class ExplainAnswer(Record, frozen=True):
    query: str
    reasons: tuple[Reason, ...]


class CesAnswer(Record, frozen=True):
    query: str
    found: CeList


class DrainAnswer(Record, frozen=True):
    query: str
    reply: DrainReply


class CheckAnswer(Record, frozen=True):
    query: str
    report: CheckReport


class NoAnswer(Record, frozen=True):
    """A question that is refused: the record of the error and its HTTP status."""

    query: str
    error: dict[str, Any]
    status: int = 400


Message = (ListMatch | Explain | AskCes | DrainCe | CheckCe | MatchAnswer | ExplainAnswer | CesAnswer | DrainAnswer |
           CheckAnswer | NoAnswer)
