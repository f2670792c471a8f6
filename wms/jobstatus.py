"""The public status record of a job: its state and everything its events told.

A record only, with the names and the null values of the bookkeeping service; how events make it is elsewhere.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Any

import msgspec


class JobState(StrEnum):
    """Where a job stands, in order of code (0 to 11)."""

    UNDEFINED = "Undefined"
    SUBMITTED = "Submitted"
    WAITING = "Waiting"
    READY = "Ready"
    SCHEDULED = "Scheduled"
    RUNNING = "Running"
    DONE = "Done"
    CLEARED = "Cleared"
    ABORTED = "Aborted"
    CANCELLED = "Cancelled"
    UNKNOWN = "Unknown"
    PURGED = "Purged"

    @property
    def code(self) -> int:
        return _NUMBERS[self]

    @property
    def terminal(self) -> bool:
        """True when the job goes no further by itself: Aborted, Cancelled, Cleared, Purged."""
        return self in TERMINAL


TERMINAL = frozenset({JobState.ABORTED, JobState.CANCELLED, JobState.CLEARED, JobState.PURGED})
_NUMBERS = {state: number for number, state in enumerate(JobState)}


class JobType(StrEnum):
    """What was registered; NONE before any registration."""

    NONE = ""
    SIMPLE = "SIMPLE"
    DAG = "DAG"
    COLLECTION = "COLLECTION"
    PBS = "PBS"
    CONDOR = "CONDOR"
    CREAM = "CREAM"
    FILE_TRANSFER_COLLECTION = "FILE_TRANSFER_COLLECTION"
    FILE_TRANSFER = "FILE_TRANSFER"
    VIRTUAL_MACHINE = "VIRTUAL_MACHINE"

    @property
    def composite(self) -> bool:
        """True when the job has children."""
        return self in COMPOSITE


COMPOSITE = frozenset({JobType.DAG, JobType.COLLECTION, JobType.FILE_TRANSFER_COLLECTION})


class DoneCode(IntEnum):
    """How execution ended; NONE while it has not."""

    NONE = -1
    OK = 0
    FAILED = 1
    CANCELLED = 2


class WrapperStatus(StrEnum):
    """What is known of the job wrapper on the worker node."""

    UNKNOWN = "UNKNOWN"
    WRAPPER_RUNNING = "WRAPPER_RUNNING"
    PAYLOAD_RUNNING = "PAYLOAD_RUNNING"
    DONE = "DONE"


class SandboxRetrieved(StrEnum):
    """Why the output sandbox is gone; NOTYET while it is not."""

    NOTYET = "NOTYET"
    USER = "USER"
    TIMEOUT = "TIMEOUT"
    NOOUTPUT = "NOOUTPUT"


WIRE_NAMES = {
    "job_id": "jobId", "condor_id": "condorId", "globus_id": "globusId", "local_id": "localId",
    "cancel_reason": "cancelReason", "cpu_time": "cpuTime", "state_enter_time": "stateEnterTime",
    "last_update_time": "lastUpdateTime", "state_enter_times": "stateEnterTimes",
    "expect_update": "expectUpdate", "expect_from": "expectFrom",
}


class JobStatus(msgspec.Struct, omit_defaults=True, rename=WIRE_NAMES):
    """What a query answers. Times are float epoch seconds (0 none), identifiers are job URLs, "" is null.

    `state_enter_times` and `children_hist` are keyed by the name of the state; `cpu_time` is in seconds, -1
    unknown; `exit_code` is 0 unless the program returned; `wrapper_exit_code` is what the wrapper reported,
    whatever became of the job (-1 none); `killed` goes with a done code of FAILED; `fault` is who
    owns the failure that `reason` tells of (user, credential, site, network, service); `extra` holds the fields
    of other middlewares (`cream_state` ...).
    """

    state: JobState = JobState.UNDEFINED
    job_id: str = ""
    owner: str = ""
    jobtype: JobType = JobType.NONE
    parent_job: str = ""
    seed: str = ""
    children_num: int = 0
    children: list[str] = []
    children_hist: dict[str, int] = {}
    children_states: list[JobStatus] = []
    condor_id: str = ""
    globus_id: str = ""
    local_id: str = ""
    jdl: str = ""
    matched_jdl: str = ""
    destination: str = ""
    condor_jdl: str = ""
    rsl: str = ""
    reason: str = ""
    fault: str = ""
    location: str = ""
    ce_node: str = ""
    network_server: str = ""
    subjob_failed: bool = False
    done_code: DoneCode = DoneCode.NONE
    exit_code: int = 0
    wrapper_exit_code: int = -1
    killed: bool = False
    resubmitted: bool = False
    cancelling: bool = False
    cancel_reason: str = ""
    cpu_time: float = -1.0
    user_tags: dict[str, str] = {}
    state_enter_time: float = 0.0
    last_update_time: float = 0.0
    state_enter_times: dict[str, float] = {}
    expect_update: bool = False
    expect_from: str = ""
    acl: str = ""
    payload_running: bool = False
    possible_destinations: list[str] = []
    possible_ce_nodes: list[str] = []
    suspended: bool = False
    suspend_reason: str = ""
    failure_reasons: str = ""
    remove_from_proxy: bool = False
    ui_host: str = ""
    user_fqans: list[str] = []
    sandbox_retrieved: SandboxRetrieved = SandboxRetrieved.NOTYET
    jw_status: WrapperStatus = WrapperStatus.UNKNOWN
    isb_transfer: str = ""
    osb_transfer: str = ""
    payload_owner: str = ""
    access_rights: list[str] = []
    history: list[dict[str, Any]] = []
    related: list[dict[str, str]] = []
    all_cancelled: bool = False
    extra: dict[str, Any] = {}
