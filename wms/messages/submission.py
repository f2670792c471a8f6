"""Jobs on their way to be matched, their nodes, and what of them comes back to the Workload Manager."""

from __future__ import annotations

import msgspec

from wms.messages.record import Record
from wms.operations import File


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


class Beginning(msgspec.Struct, frozen=True):
    """The wrapper of this attempt was granted its start at `at` (epoch s); `id` is the unique part of the job."""

    id: str
    attempt: int
    at: float


class Begun(Record, frozen=True):
    """These attempts began lately."""

    beginnings: tuple[Beginning, ...]


class Finished(Record, frozen=True):
    """The job reached a terminal state through the Log Monitor."""

    job: str
    attempt: int
    outcome: str


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


Message = Submit | SubmitCompound | SubmitNodes | Resubmit | Cancel | Buried | Begun | Finished | Expand
