"""Jobs that other middlewares run: what their events make of the record, told as short stories."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lb_jobs import EVENTS, LM, NS, WM, Story, told, waiting

from lb.state.machine import Record, Verdict, fold, step
from tests.examples import examples
from wms.event import Source
from wms.jobstatus import DoneCode, JobState, JobType, WrapperStatus
from wms.seqcode import START

CI, CE = Source.CREAM_INTERFACE, Source.CREAM_EXECUTOR
SERVER, MOM, SMOM = Source.PBS_SERVER, Source.PBS_MOM, Source.PBS_MOM_SUPERIOR
CLOUD, MANAGER, MACHINE = Source.CLOUD_MANAGER, Source.VM_MANAGER, Source.VM_SYSTEM


def told_all(jobtype, *events):
    """The record and the states after events (type, source, fields) of a job of this type, one a second."""
    record = step(Record(), told("RegJob", Source.USER_INTERFACE, jobtype=jobtype, jdl="[]"))[0]
    states = [record.state.value]
    for second, (type, source, fields) in enumerate(events, 2):
        record = step(record, told(type, source, START, float(second), **fields))[0]
        if states[-1] != record.state.value:
            states.append(record.state.value)
    return record, states


def test_a_cream_job_from_start_to_purge():
    record, states = told_all(
        "CREAM", ("CREAMAccepted", CI, {"local_jobid": "CREAM1"}),
        ("CREAMStart", CI, {}), ("CREAMRunning", CE, {}),
        ("CREAMStore", CI, {"command": "CMDSTART", "result": "OK", "reason": "go"}),
        ("CREAMCall", CE, {"callee": "LogMonitor", "command": "CMDSTART", "result": "OK"}),
        ("CREAMCall", CE, {"callee": "LRMS", "command": "CMDSTART", "result": "OK"}),
        ("CREAMStatus", CE, {"new_state": "RUNNING", "result": "DONE", "worker_node": "wn",
                             "LRMS_jobid": "7"}),
        ("CREAMStatus", CE, {"new_state": "REALLY-RUNNING", "result": "DONE"}),
        ("CREAMStore", CI, {"command": "CMDSUSPEND", "result": "OK"}),
        ("CREAMStore", CI, {"command": "CMDRESUME", "result": "OK"}),
        ("CREAMStore", CI, {"command": "CMDRESUME", "result": "FAILED"}),
        ("CREAMStatus", CE, {"new_state": "DONE-OK", "result": "ARRIVED"}),
        ("CREAMStatus", CE, {"new_state": "HELD", "result": "DONE"}),
        ("CREAMStatus", CE, {"new_state": "NOVEL", "result": "DONE"}),
        ("CREAMStatus", CE, {"new_state": "DONE-OK", "result": "DONE", "exit_code": "3"}),
        ("CREAMCall", CE, {"callee": "LRMS", "command": "CMDPURGE", "result": "OK"}))
    assert states == ["Submitted", "Waiting", "Scheduled", "Running", "Done", "Cleared"]
    assert (record.done_code, record.exit_code, record.globus_id) == (DoneCode.OK, 3, "CREAM1")
    assert (record.ce_node, record.local_id, record.reason) == ("wn", "7", "go")
    assert record.jw_status is WrapperStatus.PAYLOAD_RUNNING
    assert record.extra["cream_state"] == "PURGED"
    assert record.extra["cream_endpoint"] == record.network_server == record.destination == "text"


def test_a_cream_job_fails_is_cancelled_or_aborted():
    failed, _ = told_all("CREAM", ("CREAMStatus", CE, {
        "new_state": "DONE-FAILED", "result": "DONE", "exit_code": "N/A", "failure_reason": "disk full"}))
    assert (failed.state, failed.done_code, failed.exit_code) == (JobState.DONE, DoneCode.FAILED, 0)
    assert failed.failure_reasons == failed.extra["cream_failure_reason"] == "disk full"
    cancelled, _ = told_all(
        "CREAM", ("CREAMCall", CE, {"callee": "LRMS", "command": "CMDCANCEL", "result": "OK"}),
        ("CREAMCancel", CI, {"status_code": "REQ"}), ("CREAMCancel", CI, {"status_code": "DONE"}))
    assert (cancelled.state, cancelled.extra["cream_cancelling"]) == (JobState.CANCELLED, True)
    aborted, _ = told_all("CREAM", ("CREAMAbort", CI, {"reason": "over"}))
    assert (aborted.state, aborted.reason) == (JobState.ABORTED, "over")


def test_cream_events_move_a_grid_job_too_unless_they_are_late():
    story = waiting().matched("cream")
    story.tell("CREAMStatus", CE, new_state="RUNNING", result="DONE")
    record = fold(story.events)
    assert (record.state, record.jw_status) == (JobState.RUNNING, WrapperStatus.WRAPPER_RUNNING)
    assert step(record, told("CREAMDone", CE, status_code="OK"))[1] is Verdict.SUSPECT
    assert step(record, told("CREAMAbort", CE, START))[1] is Verdict.LATE
    assert step(record, told("PBSRun", MOM))[1] is Verdict.SUSPECT


def test_a_pbs_job():
    record, states = told_all(
        "PBS", ("PBSAccepted", SERVER, {"from": "PBSClient"}),
        ("PBSQueued", SERVER, {"queue": "long", "owner": "jane", "name": "fit"}),
        ("PBSInternalStateChange", SERVER, {"newstate": 1, "newsubstate": 10}),
        ("PBSMatch", Source.PBS_SCHEDULER, {"dest_host": "wn"}), ("PBSAccepted", SMOM, {"from": "PBSServer"}),
        ("PBSRun", SERVER, {}), ("PBSRun", MOM, {"pid": 42}), ("PBSDone", MOM, {"exit_status": 3}),
        ("PBSResourceUsage", MOM, {"usage": "USED", "name": "cput", "quantity": 4.0}),
        ("PBSResourceUsage", MOM, {"usage": "REQUESTED", "resources": "nodes=1"}),
        ("PBSDone", SERVER, {"exit_status": 3}))
    assert states == ["Submitted", "Waiting", "Ready", "Scheduled", "Running", "Done"]
    assert record.done_code is DoneCode.OK
    assert record.extra | {
        "pbs_state": "Q", "pbs_substate": 10, "pbs_queue": "long", "pbs_owner": "jane", "pbs_name": "fit",
        "pbs_dest_host": "wn", "pbs_pid": 42, "pbs_exit_status": 3, "pbs_resource_usage": "cput = 4.0",
        "pbs_resource_requested": "nodes=1"} == record.extra


def test_a_pbs_job_in_trouble():
    record, states = told_all(
        "PBS", ("PBSPending", SERVER, {"reason": "full"}), ("PBSAccepted", MOM, {"from": "PBSServer"}),
        ("PBSRerun", MOM, {}), ("PBSInternalStateChange", SERVER, {}),
        ("PBSError", SERVER, {"error_desc": "x"}))
    assert states == ["Submitted", "Waiting", "Scheduled", "Waiting", "Done"]
    assert (record.done_code, record.extra["pbs_state"], record.extra["pbs_error_desc"]) == (
        DoneCode.FAILED, "C", "x")


def test_a_condor_job():
    code = "TIMESTAMP=20100101000000:POS=0000000001:EV.CODE=205:SRC="
    record = step(Record(), told("RegJob", Source.USER_INTERFACE, jobtype="CONDOR"))[0]
    seen = []
    for type, letter, fields in (("CondorMatch", "N", {"dest_host": "wn"}), ("CondorShadowStarted", "C", {}),
                                 ("CondorStarterStarted", "S", {}), ("CondorStarterStarted", "s", {}),
                                 ("CondorStarterStarted", "x", {}), ("CondorError", "C", {"error_desc": "e"}),
                                 ("CondorStarterExited", "s", {"job_exit_status": 2}),
                                 ("CondorShadowExited", "H", {})):
        record = step(record, told(type, Source.VM_SYSTEM, code + letter, 2.0, **fields))[0]
        seen.append((record.state.value, record.extra["condor_status"]))
    assert seen == [("Ready", "Idle"), ("Ready", "Idle"), ("Scheduled", "Idle"),
                    *[("Running", "Running")] * 3, *[("Done", "Completed")] * 2]
    assert (record.extra["condor_dest_host"], record.extra["condor_job_exit_status"]) == ("wn", 2)


@pytest.mark.parametrize("why", ["NOMATCH", "OTHER"])
def test_condor_rejects_a_job(why):
    record, _ = told_all("CONDOR", ("CondorReject", WM, {"status_code": why}))
    assert (record.state, "condor_reason" in record.extra) == (JobState.ABORTED, why == "NOMATCH")


def test_a_file_transfer():
    record, states = told_all(
        "FILE_TRANSFER", ("FileTransferRegister", NS, {"src": "a", "dest": "b"}),
        ("Sandbox", NS, {"sandbox_type": "INPUT", "compute_job": "https://h/j"}),
        ("FileTransfer", NS, {"result": "START"}), ("FileTransfer", NS, {"result": "OK"}))
    assert (states, record.done_code) == (["Submitted", "Running", "Done"], DoneCode.OK)
    assert record.extra == {"ft_src": "a", "ft_dest": "b", "ft_sandbox_type": "INPUT",
                            "ft_compute_job": "https://h:9000/j"}
    record, _ = told_all("FILE_TRANSFER", ("FileTransfer", NS, {"result": "FAIL", "reason": "no route"}))
    assert (record.done_code, record.failure_reasons) == (DoneCode.FAILED, "no route")
    assert told_all("FILE_TRANSFER", ("Abort", NS, {"reason": "r"}))[0].state is JobState.ABORTED


def test_a_collection_of_file_transfers():
    record, states = told_all("FILE_TRANSFER_COLLECTION", ("CollectionState", Source.LB_SERVER, {
        "state": "Done", "done_code": 0}), ("UserTag", LM, {"name": "n", "value": "v"}))
    assert (states, record.user_tags) == (["Submitted", "Done"], {"n": "v"})


def test_a_virtual_machine():
    record, states = told_all(
        "VIRTUAL_MACHINE", ("VMCreate", CLOUD, {"hostname": "vm1", "image": "i"}),
        ("VMHost", MANAGER, {"hostname": "iron"}), ("VMImage", CLOUD, {"image": "j"}),
        ("VMRunning", CLOUD, {}), ("VMRunning", MACHINE, {}), ("VMShutdown", MANAGER, {}),
        ("VMShutdown", CLOUD, {"usage": "u"}), ("VMResume", CLOUD, {}), ("VMRunning", CLOUD, {}),
        ("VMStop", CLOUD, {}), ("VMDone", CLOUD, {"status_code": "DELETE"}))
    assert states == ["Submitted", "Running", "Waiting", "Running", "Waiting", "Done"]
    assert (record.destination, record.done_code) == ("vm1", DoneCode.OK)
    assert record.extra | {"vm_state": "DONE", "vm_hostname": "vm1", "vm_phy_hostname": "iron",
                           "vm_image": "j", "vm_usage": "u", "vm_system_halting": True} == record.extra
    record, _ = told_all("VIRTUAL_MACHINE", ("VMDone", CLOUD, {"status_code": "FAILURE"}))
    assert (record.done_code, record.extra["vm_state"]) == (DoneCode.FAILED, "FAILURE")


@given(st.sampled_from(sorted(set(JobType) - {JobType.NONE})), st.lists(EVENTS, max_size=6))
@settings(max_examples=examples(50), deadline=None)
def test_no_event_is_too_strange_for_any_job(jobtype, events):
    others = [event for event in events if event.type != "RegJob"]
    record = fold([*Story(jobtype=jobtype.value).events, *others])
    assert record.jobtype is jobtype
    assert JobState.SUBMITTED.code <= record.state.code <= JobState.CANCELLED.code
