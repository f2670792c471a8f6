"""The stored record of a job: its public status and what the machine must remember to go on.

A record only; version and order of its events are kept so that a store can tell when to fold anew.
"""

from __future__ import annotations

import msgspec

from wms.jobstatus import JobStatus
from wms.seqcode import SequenceCode

MACHINE_VERSION = "1"


class Branch(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one value of the WM counter told: each field comes from another event."""

    destination: str = ""
    ce_node: str = ""
    jdl: str = ""


class Record(JobStatus, omit_defaults=True):
    """Public status and private part. Containers are replaced, never changed, so a shallow copy is a copy.

    `newest` is the place of the newest event seen (see `lb.order`); `usage` is seconds by resource name.
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


def public(record: Record) -> JobStatus:
    """The part a query may show."""
    return JobStatus(*[getattr(record, name) for name in JobStatus.__struct_fields__])
