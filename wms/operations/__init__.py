"""The table of remote operations, a topic a file: name, daemon, method, path, records, right.

To add one: a row in a file of this package and a handler in its daemon; the rest is derived from the row.
"""

from __future__ import annotations

from collections.abc import Mapping

from wms.operations import (
    bookkeeping,
    ces,
    checkpoints,
    compounds,
    delegations,
    explain,
    figures,
    jobs,
    logging,
    notifications,
    pages,
    perusal,
    sessions,
    upkeep,
)
from wms.operations.bookkeeping import EventList, JobIds, JobList, Statuses
from wms.operations.explain import Asked, Clause, Reason, ReasonList, ReasonsRequest
from wms.operations.jobs import (
    Check,
    DelegationChain,
    DelegationInfo,
    DelegationRequest,
    Empty,
    File,
    JobReply,
    Limits,
    ListMatchRequest,
    Match,
    MatchList,
    OutcomeReport,
    OutputList,
    PurgeRequest,
    Registered,
    RegisterRequest,
    StartGranted,
    StartRequest,
    Version,
)
from wms.operations.row import Operation, Record, Right, Stream

__all__ = [
    "OPERATIONS",
    "Asked",
    "Check",
    "Clause",
    "DelegationChain",
    "DelegationInfo",
    "DelegationRequest",
    "Empty",
    "EventList",
    "File",
    "JobIds",
    "JobList",
    "JobReply",
    "Limits",
    "ListMatchRequest",
    "Match",
    "MatchList",
    "Operation",
    "OutcomeReport",
    "OutputList",
    "PurgeRequest",
    "Reason",
    "ReasonList",
    "ReasonsRequest",
    "Record",
    "RegisterRequest",
    "Registered",
    "Right",
    "StartGranted",
    "StartRequest",
    "Statuses",
    "Stream",
    "Version",
]

# a router takes the first row that fits: rows with a fixed path come before `/{unique}`
_ROWS = (
    *jobs.ROWS, *delegations.ROWS, *compounds.ROWS, *sessions.ROWS, *perusal.ROWS, *checkpoints.ROWS, *explain.ROWS,
    *ces.ROWS, *logging.ROWS, *notifications.ROWS, *upkeep.ROWS, *figures.ROWS, *pages.ROWS, *bookkeeping.ROWS,
)

OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in _ROWS}
