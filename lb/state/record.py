"""The stored record of a job: its public status and what the machine must remember to go on.

A record only; version and order of its events are kept so that a store can tell when to fold anew.
"""

from __future__ import annotations

import msgspec

from lb.state.acl import gacl
from wms.jobstatus import JobState, JobStatus
from wms.seqcode import SequenceCode

MACHINE_VERSION = "4"
SETTLED = frozenset({JobState.CLEARED, JobState.CANCELLED, JobState.PURGED})
"""What no child can move: a collection in one of these by its own events stays there."""


class Branch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one value of the WM counter told: each field comes from another event."""

    destination: str = ""
    ce_node: str = ""
    jdl: str = ""


class Record(JobStatus, omit_defaults=True):
    """Public status and private part. Containers are replaced, never changed, so a shallow copy is a copy.

    `newest` is the place of the newest event seen (see `lb.state.order`); `usage` is seconds by resource name;
    `presumed` says that only the parent's registration told the type; `handed_over` are the
    hand-overs that their senders told of (see `lb.state.handovers`), a bit each; `own_state` is what the job's own
    events
    make of a collection that shows the state of its children; `edges` are, by the other job, the newest
    word on the connection: microsecond, whether it has ended, whether the server said so for the other job.
    """

    version: str = ""
    newest: tuple[int, ...] = ()
    last_seqcode: SequenceCode | None = None
    last_cancel_seqcode: SequenceCode | None = None
    branch_tag_seqcode: SequenceCode | None = None
    last_branch_seqcode: SequenceCode | None = None
    deep_resubmit_seqcode: SequenceCode | None = None
    branches: dict[int, Branch] = {}
    resubmit_type: str = ""
    tag_seqcodes: dict[str, SequenceCode] = {}
    payload_granted: str = ""
    payload_taken: str = ""
    usage: dict[str, float] = {}
    presumed: bool = False
    own_state: JobState | None = None
    collection_seqcode: SequenceCode | None = None
    handed_over: int = 0
    edges: dict[str, tuple[int, bool, bool]] = {}


def public(record: Record) -> JobStatus:
    """The part a query may show, with the access list as GACL."""
    status = JobStatus(*[getattr(record, name) for name in JobStatus.__struct_fields__])
    status.acl = gacl(record.access_rights)
    return status
