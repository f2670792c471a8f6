"""State tables of jobs that other middlewares run: CREAM, PBS, Condor, file transfers, virtual machines.

A part `key=value` sets a field of the record's `extra`. Their clocks are foreign, so nothing is ever late:
the order of the fold decides. What is not named is stored.
"""

from __future__ import annotations

from collections.abc import Mapping

from lb.state.rules import ANY, COMPUTED, STORED, SUSPECT, Key, Rule, Table
from wms.event import EVENT_TYPES, Source
from wms.jobstatus import JobState

_SUBMITTED, _WAITING, _READY = JobState.SUBMITTED, JobState.WAITING, JobState.READY
_SCHEDULED, _RUNNING, _DONE = JobState.SCHEDULED, JobState.RUNNING, JobState.DONE
_CANCELLED, _ABORTED, _CLEARED = JobState.CANCELLED, JobState.ABORTED, JobState.CLEARED
_CE, _SERVER, _MOM, _CLOUD = (Source.CREAM_EXECUTOR, Source.PBS_SERVER, Source.PBS_MOM, Source.CLOUD_MANAGER)
RIGHTS = {"ChangeACL": "change_acl", "GrantPayloadOwnership": "grant_payload", "TakePayloadOwnership": "take_payload"}


def _never_late(rows: Mapping[Key, Rule]) -> Table:
    """A whole table: what is not named is stored, tags, rights and registrations are as everywhere."""
    named: dict[Key, Rule] = {(name, ANY, ANY): STORED for name in EVENT_TYPES}
    named["RegJob", ANY, ANY] = Rule(_SUBMITTED, tells="registration")
    named["UserTag", ANY, ANY] = Rule(tells="user_tag")
    for name, part in RIGHTS.items():
        named[name, ANY, ANY] = Rule(tells=part, keeps_clock=True)
    return {key: rule._replace(never_late=True) for key, rule in {**named, **rows}.items()}


_CREAM: dict[Key, Rule] = {
    ("CREAMStart", ANY, ANY): STORED,
    ("CREAMPurge", ANY, ANY): STORED,
    ("CREAMAccepted", ANY, ANY): Rule(tells="cream_id"),
    ("CREAMStore", ANY, "CMDSTART/OK"): Rule(_WAITING, "cream_state=PENDING given_reason"),
    ("CREAMStore", ANY, "CMDSUSPEND/OK"): Rule(None, "suspend given_reason"),
    ("CREAMStore", ANY, "CMDRESUME/OK"): Rule(None, "resume given_reason"),
    ("CREAMStore", ANY, ANY): Rule(None, "given_reason"),
    ("CREAMCall", _CE, "CMDSTART/OK"): Rule(None, "cream_queued"),
    ("CREAMCall", ANY, "CMDCANCEL/OK"): Rule(None, "cancelling cream_cancelling given_reason"),
    ("CREAMCall", ANY, ANY): STORED,
    ("CREAMCancel", ANY, "DONE"): Rule(_CANCELLED, "cream_state=ABORTED given_reason"),
    ("CREAMCancel", ANY, ANY): Rule(None, "given_reason"),
    ("CREAMAbort", ANY, ANY): Rule(_ABORTED, "cream_state=ABORTED given_reason"),
    ("CREAMStatus", ANY, "DONE"): Rule(None, "cream_status", "cream_facts"),
    ("CREAMStatus", ANY, ANY): STORED,
}

CREAM_IN_GLITE: Mapping[Key, Rule] = {
    **_CREAM,
    **{(name, ANY, ANY): SUSPECT for name in (
        "CREAMRunning", "CREAMReallyRunning", "CREAMDone", "CREAMSuspend", "CREAMResume")},
}

CREAM = _never_late({
    **_CREAM,
    ("RegJob", ANY, ANY): Rule(_SUBMITTED, "cream_state=REGISTERED", "registration cream_registration"),
    ("CREAMCall", ANY, "CMDPURGE/OK"): Rule(_CLEARED, "cream_state=PURGED given_reason"),
})

PBS = _never_late({
    ("PBSInternalStateChange", ANY, ANY): Rule(tells="pbs_substate"),
    ("PBSAccepted", _SERVER, ANY): Rule(_SUBMITTED),
    ("PBSAccepted", _MOM, ANY): Rule(_SCHEDULED),
    ("PBSAccepted", Source.PBS_MOM_SUPERIOR, ANY): Rule(_SCHEDULED),
    ("PBSQueued", ANY, ANY): Rule(_WAITING, tells="pbs_facts"),
    ("PBSMatch", ANY, ANY): Rule(_READY, tells="pbs_facts"),
    ("PBSPending", ANY, ANY): Rule(_WAITING, tells="pbs_facts"),
    ("PBSRun", _SERVER, ANY): Rule(_SCHEDULED, tells="pbs_facts"),
    ("PBSRun", _MOM, ANY): Rule(_RUNNING, tells="pbs_facts"),
    ("PBSRerun", ANY, ANY): Rule(_WAITING),
    ("PBSDone", _SERVER, ANY): Rule(_DONE, "ended_ok", "pbs_facts"),
    ("PBSDone", ANY, ANY): Rule(tells="pbs_facts"),
    ("PBSResourceUsage", ANY, ANY): Rule(tells="pbs_usage"),
    ("PBSError", ANY, ANY): Rule(_DONE, "ended_failed pbs_state=C", "pbs_facts"),
})

CONDOR = _never_late({
    ("RegJob", ANY, ANY): Rule(_SUBMITTED, "condor_status=Idle", "registration"),
    ("CondorMatch", ANY, ANY): Rule(_READY, "condor_status=Idle", "condor_facts"),
    ("CondorReject", ANY, "NOMATCH"): Rule(_ABORTED, "condor_status=Unexpanded", "condor_reason=NOMATCH"),
    ("CondorReject", ANY, ANY): Rule(_ABORTED, "condor_status=Unexpanded"),
    ("CondorShadowStarted", ANY, ANY): Rule(_READY, "condor_status=Idle", "condor_facts"),
    ("CondorShadowExited", ANY, ANY): Rule(_DONE, "condor_status=Completed", "condor_facts"),
    ("CondorStarterStarted", ANY, ANY): Rule(None, "condor_starter", "condor_facts"),
    ("CondorStarterExited", ANY, ANY): Rule(_DONE, "condor_status=Completed", "condor_facts"),
    ("CondorError", ANY, ANY): Rule(tells="condor_facts"),
})

FILE_TRANSFER = _never_late({
    ("FileTransferRegister", ANY, ANY): Rule(tells="ft_facts"),
    ("FileTransfer", ANY, "START"): Rule(_RUNNING),
    ("FileTransfer", ANY, "OK"): Rule(_DONE, "ended_ok"),
    ("FileTransfer", ANY, "FAIL"): Rule(_DONE, "ended_failed failure_told"),
    ("Sandbox", ANY, ANY): Rule(tells="ft_facts"),
    ("Abort", ANY, ANY): Rule(_ABORTED, "reason nowhere leave_proxy"),
})

FILE_TRANSFER_COLLECTION = _never_late({
    ("CollectionState", ANY, ANY): COMPUTED,
    ("Sandbox", ANY, ANY): Rule(tells="ft_facts"),
})

VM = _never_late({
    ("RegJob", ANY, ANY): Rule(_SUBMITTED, "vm_state=PENDING", "registration"),
    ("VMCreate", ANY, ANY): Rule(tells="vm_facts vm_destination"),
    ("VMHost", ANY, ANY): Rule(tells="vm_phy_hostname"),
    ("VMImage", ANY, ANY): Rule(tells="vm_facts"),
    ("VMRunning", Source.VM_SYSTEM, ANY): Rule(_RUNNING, "vm_state=REALLY-RUNNING"),
    ("VMRunning", ANY, ANY): Rule(_RUNNING, "vm_state=RUNNING"),
    ("VMShutdown", _CLOUD, ANY): Rule(_WAITING, "vm_state=SHUTDOWN", "vm_facts"),
    ("VMShutdown", ANY, ANY): Rule(None, "vm_halting", "vm_facts"),
    ("VMStop", ANY, ANY): Rule(_WAITING, "vm_state=STOPPED"),
    ("VMResume", ANY, ANY): Rule(_WAITING, "vm_state=PENDING"),
    ("VMDone", ANY, "FAILURE"): Rule(_DONE, "vm_state=FAILURE ended_failed", "vm_facts"),
    ("VMDone", ANY, ANY): Rule(_DONE, "vm_state=DONE ended_ok", "vm_facts"),
})
