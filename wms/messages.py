"""The records daemons send each other through the queue; a topic is the name of the daemon that reads it.

Every message about an attempt carries (job, attempt, sequence code); a message about a closed attempt has no
effect. Not the remote operations of users: those are in wms.operations.
"""

from __future__ import annotations

from typing import Any

import msgspec

from wms.operations import Clause, File, OutcomeReport, Reason
from wms.operations.ces import CeList, CheckReport, DrainReply

NS, WM, JOBADAPTER, LOGMONITOR, LB, PROXYRENEWAL = "ns", "wm", "jobadapter", "logmonitor", "lb", "proxyrenewal"
WM_MATCH = "wm-match"
"""The Workload Manager's topic for questions, which overtake submissions."""
WM_BEGUN = "wm-begun"
"""The topic of jobs that have begun, for the Workload Manager's own measures."""
JOBADAPTER_CHECKS = "jobadapter-checks"
"""The Job Adapter's topic for checks of computing elements, which take minutes beside its other work."""
LB_CHILDREN = "lb-children"
"""The topic of Logging & Bookkeeping for children that it has yet to make, so that events overtake them."""
NS_NODES = "nodes"
"""The Network Server's topic for nodes to be made jobs, so that what ends a job overtakes them."""


class Record(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""


# -- to the Workload Manager -----------------------------------------------------------------------------


class Input(File, frozen=True):
    """A file of the input sandbox as the wrapper gets it: `name` in its working directory, `source` where it is.

    `source` is a path below the attempt's URL; empty: `input/NAME`. Unknown size -1, unknown checksum "".
    """

    source: str = ""


class Submit(Record, frozen=True):
    """A started job, to be matched. `credential_ends` is epoch s; `parent` (unique part) and `node` of a node.

    `expires` (epoch s) is known of nodes that are alike, 0: by the site's rule; below 0 the description tells.
    `renewable`: the credential can be renewed, so that its end says nothing of how long the job may go on.
    """

    job: str
    jdl: str
    owner: str
    vo: str
    fqans: tuple[str, ...]
    credential: str
    credential_ends: float
    sequence_code: str
    submitted: float
    files: tuple[Input, ...] = ()
    parent: str = ""
    node: int = -1
    expires: float = -1.0
    renewable: bool = False


class SubmitCompound(Record, frozen=True):
    """A started collection or DAG of `number` nodes, whose ids follow from its own (JobId.subjob).

    `edges` are (parent, child) indices; `most_running` 0: no limit; `expires` (epoch s) 0: by the site's rule.
    `collocated`: all nodes go to one CE, which the Workload Manager notes here as `ce` once it is known.
    """

    job: str
    kind: str
    number: int
    owner: str
    vo: str
    sequence_code: str
    submitted: float
    edges: tuple[tuple[int, int], ...] = ()
    most_running: int = 0
    expires: float = 0.0
    fqans: tuple[str, ...] = ()
    collocated: bool = False
    ce: str = ""


class NodeJob(msgspec.Struct, frozen=True, omit_defaults=True):
    """What distinguishes a node from its siblings; one that is `refused` (why) cannot become a job.

    `sequence_code` is empty for a node of which nothing but its registration was told.
    """

    job: str
    node: int
    jdl: str
    files: tuple[Input, ...] = ()
    refused: str = ""
    sequence_code: str = ""


class SubmitNodes(Record, frozen=True):
    """Released nodes of one compound, to be matched; `alike`: matching cannot tell them apart; `renewable` as above."""

    parent: str
    owner: str
    vo: str
    fqans: tuple[str, ...]
    credential: str
    credential_ends: float
    submitted: float
    nodes: tuple[NodeJob, ...]
    alike: bool = False
    renewable: bool = False


class Resubmit(Record, frozen=True):
    """An attempt failed and is closed; `started` says whether its payload ever began. `replan`: it did not fail;
    `untaken`: because its CE never took it.
    """

    job: str
    attempt: int
    started: bool
    reason: str
    sequence_code: str
    retry: bool = True
    replan: bool = False
    untaken: bool = False


class Cancel(Record, frozen=True):
    job: str
    sequence_code: str
    by: str


class Buried(Record, frozen=True):
    """A message about a job was set aside for good: a `record` to `topic`, with what is known of its fields.

    `record` is empty if it cannot be read; `error` is one line; `nodes` are indices in the compound `job`; `since` is
    when it was told in vain before (epoch s, 0: never).
    """

    topic: str
    job: str
    record: str
    error: str
    attempt: int = 0
    outcome: str = ""
    sequence_code: str = ""
    nodes: tuple[int, ...] = ()
    since: float = 0.0


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


class Beginning(msgspec.Struct, frozen=True):
    """The wrapper of this attempt was granted its start at `at` (epoch s); `id` is the unique part of the job."""

    id: str
    attempt: int
    at: float


class Begun(Record, frozen=True):
    """These attempts began lately."""

    beginnings: tuple[Beginning, ...]


class CredentialEnded(Record, frozen=True):
    """The credential of these jobs has ended and cannot be renewed; `reason` is a sentence.

    `after`: nodes of the compound that is named, up to this index, have ended already (-1: none).
    """

    credential: str
    jobs: tuple[str, ...]
    reason: str
    after: int = -1


class Finished(Record, frozen=True):
    """The job reached a terminal state through the Log Monitor."""

    job: str
    attempt: int
    outcome: str


# -- to the Job Adapter ----------------------------------------------------------------------------------


class Run(Record, frozen=True):
    """Make the wrapper of this attempt and submit it to `ce` of `backend`.

    `tries` were in vain; `returned` is when the job was last offered to be matched again (epoch s, 0: never).
    """

    job: str
    attempt: int
    jdl: str
    ce: str
    backend: str
    queue: str
    credential: str
    sequence_code: str
    files: tuple[Input, ...] = ()
    tries: int = 0
    broker_info: str = ""
    owner: str = ""
    vo: str = ""
    fqans: tuple[str, ...] = ()
    returned: float = 0.0


class Kill(Record, frozen=True):
    """`tries` found the CE silent."""

    job: str
    attempt: int
    tries: int = 0


class Clean(Record, frozen=True):
    """The attempt is over for good: the CE may forget it. `tries` as above."""

    job: str
    attempt: int
    tries: int = 0


class ProxyRenewed(Record, frozen=True):
    """To the Job Adapter, and to the Network Server: there is a fresh credential in the old one's place.

    `not_after` is epoch s, `kind` certificate or token.
    """

    credential: str
    jobs: tuple[str, ...]
    not_after: float = 0.0
    kind: str = "certificate"
    tries: int = 0


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


# -- to the Log Monitor ----------------------------------------------------------------------------------


class Watch(Record, frozen=True):
    """Observe this submission until it ends."""

    job: str
    attempt: int
    backend: str
    ce: str
    token: str
    handle: str
    sequence_code: str


class Reported(Record, frozen=True):
    """What the wrapper itself said of its end, through the Network Server."""

    job: str
    attempt: int
    outcome: OutcomeReport


class CancelAsked(Record, frozen=True):
    """The user wants this job gone: an end of its attempt is a cancellation."""

    job: str
    attempt: int


class Withdrawn(Record, frozen=True):
    """The attempt was taken back: whatever becomes of it at the CE is nobody's end."""

    job: str
    attempt: int


class GivenUp(Record, frozen=True):
    """The attempt is to fail now for this reason, which no other attempt can help; one that has ended has ended."""

    job: str
    attempt: int
    reason: str
    sequence_code: str


class NotPlaced(Record, frozen=True):
    """The Job Adapter could not hand the attempt to the CE; `retry` is False when another cannot help."""

    job: str
    attempt: int
    ce: str
    reason: str
    sequence_code: str
    retry: bool = True


# -- to the Network Server -------------------------------------------------------------------------------


class Release(Record, frozen=True):
    """Make these nodes of a compound jobs of their own, for `ce` if given; the answer is SubmitNodes to the WM."""

    job: str
    nodes: tuple[int, ...]
    ce: str = ""


class Close(Record, frozen=True):
    """No payload of this attempt may start from now on; the answer is a Resubmit to the WM.

    With `replan` nothing happens, and there is no answer, if one has started. `untaken` is for the answer.
    """

    job: str
    attempt: int
    reason: str
    sequence_code: str
    retry: bool = True
    replan: bool = False
    untaken: bool = False


class Ended(Record, frozen=True):
    """The job is over: Done, Aborted or Cancelled, with the attempt whose output counts (0 none).

    `since` is when it could not be told for the first time (epoch s; 0: it never was in vain).
    """

    job: str
    attempt: int
    outcome: str
    reason: str = ""
    since: float = 0.0


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


# -- to Logging & Bookkeeping ----------------------------------------------------------------------------


class Expand(Record, frozen=True):
    """Make the children of a registered collection from index `next` on: all that is told of each is here.

    `at` is the time of the registration (epoch s), `number` how many children there are in all.
    """

    job: str
    jobtype: str
    number: int
    at: float
    host: str
    ns: str
    user: str = ""
    seed: str | None = None
    next: int = 0


# -- to Proxy Renewal ------------------------------------------------------------------------------------


class Register(Record, frozen=True):
    """A job needs this credential, of `kind` certificate or token; its life began at `begins` (epoch s, 0: unknown)."""

    job: str
    credential: str
    owner: str
    myproxy: str
    not_after: float
    kind: str = "certificate"
    begins: float = 0.0


class Redelegated(Record, frozen=True):
    """The owner himself has put a fresh credential in the old one's place."""

    credential: str
    begins: float
    not_after: float


class Destroyed(Record, frozen=True):
    """The owner took his credential back."""

    credential: str


class Unregister(Record, frozen=True):
    job: str


AnyMessage = (Submit | SubmitCompound | SubmitNodes | Resubmit | Buried | Cancel | ListMatch | Explain | CredentialEnded
              | Finished | Run | Kill | Clean | ProxyRenewed | Watch | Reported | CancelAsked | Withdrawn | GivenUp
              | NotPlaced | Release | Close | Ended | MatchAnswer | ExplainAnswer | Expand | Register | Redelegated
              | Destroyed | Unregister | AskCes | DrainCe | Begun | CheckCe | CesAnswer | DrainAnswer | CheckAnswer
              | NoAnswer)
decode = msgspec.json.Decoder(AnyMessage).decode
