"""The named parts of the state table: what each changes in the record.

Functions of (record, event, moment) that change the record given to them; which apply when is in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lb.state import acl, branches, family_parts, places
from lb.state.acl import Entry
from lb.state.branches import Moment
from lb.state.family_parts import FAMILY_PARTS
from lb.state.handovers import HANDOVER_PARTS
from lb.state.middleware_parts import MIDDLEWARE_PARTS, keeping
from lb.state.record import Record
from lb.state.rules import Verdict
from wms.event import Event
from wms.identity import same_dn
from wms.jobstatus import DoneCode, JobState, JobType, SandboxRetrieved, WrapperStatus
from wms.seqcode import SequenceCode

Part = Callable[[Record, Event, Moment], None]

CPU_RESOURCES = frozenset({"user", "sys"})
_JOB_TYPES = {"PARTITIONABLE": JobType.DAG, "PARTITIONED": JobType.DAG}


def job_type(event: Event) -> JobType:
    """The type a registration gives to a job."""
    name = event.fields["jobtype"]
    return _JOB_TYPES.get(name) or JobType(name)


# -- descriptions and identifiers ------------------------------------------------------------------------


def registration(record: Record, event: Event, moment: Moment) -> None:
    said = event.fields
    record.owner = record.owner or event.user
    record.jdl = said.get("jdl", record.jdl)
    record.parent_job = said.get("parent", record.parent_job)
    record.seed = said.get("seed", record.seed)
    record.network_server = said["ns"]
    record.children_num = said.get("nsubjobs", record.children_num)
    if "wms_dn" in said:
        record.access_rights = acl.joined(record.access_rights, Entry(acl.READ, "ALLOW", "DN", said["wms_dn"]))
    if record.jobtype.composite:
        record.children_hist = {JobState.UNKNOWN.value: record.children_num}


def first_jdl(record: Record, event: Event, moment: Moment) -> None:
    record.jdl = record.jdl or event.fields["job"]


def first_queued_jdl(record: Record, event: Event, moment: Moment) -> None:
    record.jdl = record.jdl or event.fields.get("job", "")


def queued_jdl(record: Record, event: Event, moment: Moment) -> None:
    record.jdl = event.fields.get("job", record.jdl)


def matched_jdl(record: Record, event: Event, moment: Moment) -> None:
    if moment.alive:
        record.matched_jdl = event.fields.get("job", record.matched_jdl)


def branch_jdl(record: Record, event: Event, moment: Moment) -> None:
    branches.note(record, moment.code.wm, jdl=event.fields.get("job", ""))


def condor_jdl(record: Record, event: Event, moment: Moment) -> None:
    record.condor_jdl = event.fields["job"]


def rsl(record: Record, event: Event, moment: Moment) -> None:
    record.rsl = event.fields["job"]


def ui_host(record: Record, event: Event, moment: Moment) -> None:
    record.ui_host = event.fields["from_host"]


def condor_id(record: Record, event: Event, moment: Moment) -> None:
    record.condor_id = event.fields.get("local_jobid", record.condor_id)


def globus_id(record: Record, event: Event, moment: Moment) -> None:
    record.globus_id = event.fields.get("local_jobid", record.globus_id)


def destination(record: Record, event: Event, moment: Moment) -> None:
    chosen = event.fields["dest_id"]
    if moment.alive:
        record.destination = chosen
    branches.note(record, moment.code.wm, destination=chosen)
    record.possible_destinations = [*record.possible_destinations, chosen]


# -- running, and its end --------------------------------------------------------------------------------


def was_scheduled(record: Record, event: Event, moment: Moment) -> None:
    if record.state in (JobState.RUNNING, JobState.DONE):
        record.state_enter_times = {**record.state_enter_times, JobState.SCHEDULED.value: event.timestamp}


def wrapper_running(record: Record, event: Event, moment: Moment) -> None:
    record.jw_status = WrapperStatus.WRAPPER_RUNNING


def ce_node(record: Record, event: Event, moment: Moment) -> None:
    node = event.fields["node"]
    if moment.alive:
        record.ce_node = node
    branches.note(record, moment.code.wm, ce_node=node)
    record.possible_ce_nodes = [*record.possible_ce_nodes, node]


def wrapper_done(record: Record, event: Event, moment: Moment) -> None:
    record.jw_status = WrapperStatus.DONE
    record.payload_running = False


def wrapper_exit(record: Record, event: Event, moment: Moment) -> None:
    if event.fields["exit_code"] != -1:
        record.wrapper_exit_code = event.fields["exit_code"]


def done(record: Record, event: Event, moment: Moment) -> None:
    record.jw_status = WrapperStatus.DONE
    if moment.branch == branches.GOOD:
        record.payload_running = False


def done_ok(record: Record, event: Event, moment: Moment) -> None:
    record.done_code, record.exit_code, record.killed = DoneCode.OK, event.fields["exit_code"], False


def done_cancelled(record: Record, event: Event, moment: Moment) -> None:
    record.done_code, record.exit_code, record.killed = DoneCode.CANCELLED, 0, False


def done_failed(record: Record, event: Event, moment: Moment) -> None:
    record.done_code, record.exit_code, record.killed = DoneCode.FAILED, 0, False
    where = record.destination if moment.verdict is Verdict.OK else "delayed event, destination unreliable"
    entry = f"{event.fields.get('reason', '')} [{where}]"
    if not f"\n{record.failure_reasons}".endswith(f"\n{entry}"):
        record.failure_reasons = f"{record.failure_reasons}\n{entry}".lstrip("\n")


def done_killed(record: Record, event: Event, moment: Moment) -> None:
    record.killed, record.exit_code = True, max(event.fields["exit_code"], 0)


def suspend(record: Record, event: Event, moment: Moment) -> None:
    if record.state is JobState.RUNNING:
        record.suspended, record.suspend_reason = True, event.fields.get("reason", "")


def resume(record: Record, event: Event, moment: Moment) -> None:
    if record.state is JobState.RUNNING:
        record.suspended, record.suspend_reason = False, event.fields.get("reason", "")


def resource_usage(record: Record, event: Event, moment: Moment) -> None:
    """Seconds of processor time: the newest figure of each resource, added up."""
    name = event.fields["resource"].lower()
    if name in CPU_RESOURCES:
        record.usage = {**record.usage, name: event.fields["quantity"]}
        record.cpu_time = sum(record.usage.values())


# -- resubmission, cancelling, clearing ------------------------------------------------------------------


def resubmitted(record: Record, event: Event, moment: Moment) -> None:
    record.resubmitted = True


def shallow_resubmission(record: Record, event: Event, moment: Moment) -> None:
    record.resubmit_type = "SHALLOW"


def no_resubmission(record: Record, event: Event, moment: Moment) -> None:
    record.resubmit_type = "WONTRESUB"


def cancelling(record: Record, event: Event, moment: Moment) -> None:
    record.cancelling = True


def not_cancelling(record: Record, event: Event, moment: Moment) -> None:
    record.cancelling = False


def cancel_reason(record: Record, event: Event, moment: Moment) -> None:
    record.cancel_reason = event.fields.get("reason", "")


def leave_proxy(record: Record, event: Event, moment: Moment) -> None:
    record.remove_from_proxy = True


def sandbox_retrieved(record: Record, event: Event, moment: Moment) -> None:
    record.sandbox_retrieved = SandboxRetrieved(event.fields["reason"])


# -- what users and other services say -------------------------------------------------------------------


def user_tag(record: Record, event: Event, moment: Moment) -> None:
    name = event.fields["name"].lower()
    told = record.tag_seqcodes.get(name)
    if told is None or moment.code > told:
        record.user_tags = {**record.user_tags, name: event.fields["value"]}
        record.tag_seqcodes = {**record.tag_seqcodes, name: moment.code}


def input_sandbox(record: Record, event: Event, moment: Moment) -> None:
    record.isb_transfer = event.fields.get("transfer_job", record.isb_transfer)


def output_sandbox(record: Record, event: Event, moment: Moment) -> None:
    record.osb_transfer = event.fields.get("transfer_job", record.osb_transfer)


def change_acl(record: Record, event: Event, moment: Moment) -> None:
    record.access_rights = acl.changed(record.access_rights, event.fields)


def grant_payload(record: Record, event: Event, moment: Moment) -> None:
    record.payload_granted = event.fields["payload_owner"]
    _hand_over_payload(record)


def take_payload(record: Record, event: Event, moment: Moment) -> None:
    record.payload_taken = event.user
    _hand_over_payload(record)


def _hand_over_payload(record: Record) -> None:
    """Granted and taken by the same person: whichever came first has waited."""
    if same_dn(record.payload_granted, record.payload_taken):
        record.payload_owner = record.payload_taken
        record.payload_granted = record.payload_taken = ""


PARTS: Mapping[str, Part] = {part.__name__: part for part in (
    places.reason, places.fault, places.clear_reason, places.nowhere, places.at_source, places.at_destination,
    places.at_origin, places.at_queue, places.at_helper, places.at_wm, places.at_node,
    registration, first_jdl, first_queued_jdl, queued_jdl, matched_jdl, branch_jdl, condor_jdl, rsl, ui_host,
    condor_id, globus_id, destination, was_scheduled, wrapper_running, ce_node, wrapper_done, wrapper_exit,
    done, done_ok, done_cancelled, done_failed, done_killed, suspend, resume, resource_usage, resubmitted,
    shallow_resubmission, no_resubmission, cancelling, not_cancelling, cancel_reason, leave_proxy,
    sandbox_retrieved, user_tag, input_sandbox, output_sandbox, change_acl, grant_payload, take_payload,
    branches.elect_own, branches.elect_told,
)} | FAMILY_PARTS | HANDOVER_PARTS | MIDDLEWARE_PARTS | {
    "deep_resubmission": branches.forget, "forget_branches": branches.forget}


def named(parts: str) -> tuple[Part, ...]:
    """The parts a rule names; `key=value` sets a field of `extra`."""
    return tuple(keeping(name) if "=" in name else PARTS[name] for name in parts.split())


CONDITIONS: Mapping[str, Callable[[Record, Event, SequenceCode], bool]] = {
    "wn_seq": branches.names_attempt,
    "state_name": family_parts.names_state,
}
