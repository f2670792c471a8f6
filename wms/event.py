"""The table of event types, the event record, and the check that an event fits its row.

To add an event type, add a row here and a rule in the state table. What events mean for a job is not here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from functools import lru_cache
from math import isfinite
from typing import Any, NamedTuple

import msgspec

from wms.errors import BadEvent, BadJobId, BadSequenceCode
from wms.jobid import JobId
from wms.seqcode import SequenceCode
from wms.seqcode import Source as Source

MAX_FIELDS = 100
MAX_TEXT = 1 << 20
LEVELS = ("EMERGENCY", "ALERT", "ERROR", "WARNING", "AUTH", "SECURITY", "USAGE", "SYSTEM", "IMPORTANT",
          "DEBUG")
END_OF_TIME = 253402300800.0  # the year 10000


class Field(NamedTuple):
    """One field. `kind`: string, int, float, jobid or enum; `null` stands for a missing value."""

    name: str
    kind: str = "string"
    optional: bool = False
    choices: tuple[str, ...] = ()
    null: int | None = None


class EventType(NamedTuple):
    """One row of the table. `results` are the enumerated fields that say how it went, usually one or none."""

    name: str
    code: int
    fields: tuple[Field, ...]
    results: tuple[Field, ...]


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that happened to a job. Times are float epoch seconds to the microsecond."""

    type: str
    job: str
    source: str
    seqcode: str
    timestamp: float
    host: str
    user: str = ""
    level: str = "SYSTEM"
    priority: int = 0
    instance: str = ""
    fields: dict[str, Any] = {}
    arrived: float = 0.0


_CHOICES = {
    "source": tuple(source.value for source in Source),
    "transfer": ("START", "OK", "REFUSED", "FAIL"),
    "role": ("CALLING", "CALLED"),
    "resubmission": ("WILLRESUB", "WONTRESUB", "SHALLOW"),
    "done": ("OK", "FAILED", "CANCELLED", "KILLED"),
    "cancel": ("REQ", "REFUSE", "DONE", "ABORT"),
    "clear": ("USER", "TIMEOUT", "NOOUTPUT"),
    "jobtype": ("SIMPLE", "DAG", "PARTITIONABLE", "PARTITIONED", "COLLECTION", "PBS", "CONDOR", "CREAM",
                "FILE_TRANSFER_COLLECTION", "FILE_TRANSFER", "VIRTUAL_MACHINE"),
    "idtype": ("DN", "GROUP", "FQAN"),
    "permission": ("READ", "TAG"),
    "permit": ("ALLOW", "DENY"),
    "operation": ("ADD", "REMOVE"),
    "usage": ("REQUESTED", "USED"),
    "rejection": ("NOMATCH", "OTHER"),
    "command": ("CMDSTART", "CMDCANCEL", "CMDPURGE", "CMDSUSPEND", "CMDRESUME"),
    "cream": ("START", "OK", "FAILED"),
    "status": ("ARRIVED", "DONE"),
    "filetransfer": ("START", "OK", "FAIL"),
    "sandbox": ("INPUT", "OUTPUT"),
    "vmdone": ("OK", "DELETE", "FAILURE"),
}

# code, name, fields: `name[?][:kind or choices][=null]`, `?` optional, kind string unless said;
# a `!` marks the enumerated fields on which the rules of the state table depend.
_ROWS = (
    (1, "Transfer", "destination:source dest_host dest_instance? job result:transfer! reason? dest_jobid? "
                  "fault? taxonomy?:int"),
    (2, "Accepted", "from:source from_host from_instance? local_jobid?"),
    (3, "Refused", "from:source from_host from_instance? reason?"),
    (4, "EnQueued", "queue job? result:transfer! reason?"),
    (5, "DeQueued", "queue local_jobid?"),
    (6, "HelperCall", "helper_name helper_params? src_role:role"),
    (7, "HelperReturn", "helper_name retval? src_role:role"),
    (8, "Running", "node"),
    (9, "Resubmission", "result:resubmission! reason? tag? fault? taxonomy?:int"),
    (10, "Done", "status_code:done! reason? exit_code:int=-1 fault? taxonomy?:int"),
    (11, "Cancel", "status_code:cancel! reason?"),
    (12, "Abort", "reason fault? taxonomy?:int"),
    (13, "Clear", "reason:clear!"),
    (14, "Purge", ""),
    (15, "Match", "dest_id"),
    (16, "Pending", "reason"),
    (17, "RegJob", "jdl? ns parent?:jobid jobtype:jobtype nsubjobs?:int seed? wms_dn?"),
    (18, "Chkpt", "tag classad"),
    (19, "Listener", "svc_name svc_host svc_port:int"),
    (20, "CurDescr", "descr"),
    (21, "UserTag", "name value"),
    (22, "ChangeACL", "user_id user_id_type:idtype permission:permission permission_type:permit "
                      "operation:operation"),
    (23, "Notification", "notifId owner dest_host dest_port:int expires:int jobstat dest_url"),
    (24, "ResourceUsage", "resource quantity:float unit"),
    (25, "ReallyRunning", "wn_seq?"),
    (26, "Suspend", "reason?"),
    (27, "Resume", "reason?"),
    (28, "CollectionState", "state done_code?:int=-1 histogram child:jobid child_event"),
    (29, "GrantPayloadOwnership", "payload_owner"),
    (30, "TakePayloadOwnership", ""),
    (31, "ConnectJob", "dest_jobid:jobid jobtype?:jobtype"),
    (32, "DisconnectJob", "dest_jobid:jobid jobtype?:jobtype"),
    (101, "PBSInternalStateChange", "oldstate:int=-1 oldsubstate:int=-1 newstate:int=-1 newsubstate:int=-1"),
    (102, "PBSTransfer", "destination:source dest_instance? result:transfer! reason? dest_jobid?"),
    (103, "PBSAccepted", "from:source from_instance? local_jobid?"),
    (104, "PBSRefused", "from:source from_instance? reason?"),
    (105, "PBSQueued", "queue name? owner?"),
    (106, "PBSDequeued", ""),
    (107, "PBSMatch", "dest_host"),
    (108, "PBSPending", "reason"),
    (109, "PBSWaiting", ""),
    (110, "PBSRun", "scheduler? dest_host? pid?:int"),
    (111, "PBSRerun", ""),
    (112, "PBSAbort", ""),
    (113, "PBSDone", "exit_status?:int"),
    (114, "PBSResourceUsage", "usage:usage resources? name? quantity?:float unit?"),
    (115, "PBSError", "error_desc"),
    (201, "CondorMatch", "owner dest_host preempting?"),
    (202, "CondorReject", "owner status_code:rejection!"),
    (203, "CondorShadowStarted", "shadow_host shadow_port:int shadow_pid:int shadow_status?"),
    (204, "CondorShadowExited", "shadow_pid:int shadow_exit_status:int=-1"),
    (205, "CondorStarterStarted", "starter_pid?:int universe?"),
    (206, "CondorStarterExited", "starter_pid?:int starter_exit_status?:int=-1 job_pid?:int "
                                 "job_exit_status?:int=-1"),
    (207, "CondorResourceUsage", "usage:usage name quantity?:float unit"),
    (208, "CondorError", "error_desc"),
    (301, "CREAMStart", ""),
    (302, "CREAMPurge", ""),
    (303, "CREAMAccepted", "local_jobid?"),
    (304, "CREAMStore", "command:command! cmdid? result:cream! reason?"),
    (305, "CREAMCall", "callee:source command:command! cmdid? destid? result:cream! reason?"),
    (306, "CREAMRunning", "node?"),
    (307, "CREAMReallyRunning", ""),
    (308, "CREAMDone", "status_code:done! reason? exit_code?"),
    (309, "CREAMCancel", "status_code:cancel! reason?"),
    (310, "CREAMAbort", "reason"),
    (311, "CREAMStatus", "old_state? new_state orig_timestamp?:float result:status! descr? exit_code? "
                         "failure_reason? worker_node? LRMS_jobid?"),
    (312, "CREAMSuspend", "status_code:cancel! reason?"),
    (313, "CREAMResume", "status_code:cancel! reason?"),
    (401, "FileTransferRegister", "src dest"),
    (402, "FileTransfer", "result:filetransfer! reason?"),
    (403, "Sandbox", "sandbox_type:sandbox! transfer_job?:jobid compute_job?:jobid"),
    (501, "VMCreate", "require id name owner hostname manager image?"),
    (502, "VMHost", "hostname?"),
    (503, "VMImage", "image?"),
    (504, "VMRunning", ""),
    (505, "VMShutdown", "usage?"),
    (506, "VMStop", ""),
    (507, "VMResume", ""),
    (508, "VMDone", "status_code:vmdone! usage?"),
)


def _field(text: str) -> Field:
    rest, _, null = text.rstrip("!").partition("=")
    name, _, kind = rest.partition(":")
    choices = _CHOICES.get(kind, ())
    return Field(name.rstrip("?"), "enum" if choices else kind or "string", name.endswith("?") or bool(null),
                 choices, int(null) if null else None)


def _event_type(code: int, name: str, fields: str) -> EventType:
    results = tuple(_field(text) for text in fields.split() if text.endswith("!"))
    return EventType(name, code, tuple(map(_field, fields.split())), results)


def _spellings(names: Iterable[str]) -> dict[str, str]:
    """A name by itself, the usual case, and by its lower case."""
    return {spelling: name for name in names for spelling in (name.lower(), name)}


EVENT_TYPES: Mapping[str, EventType] = {name: _event_type(code, name, fields) for code, name, fields in _ROWS}
_SPELLING = {name.lower(): name for name in EVENT_TYPES}
_SOURCES = _spellings(source.value for source in Source)
_LEVELS = _spellings(LEVELS)
_PRIORITY = Field("priority", "int")
_CLOCKED = frozenset(source.value for source in Source if source.component)
_CHOSEN = {names: _spellings(names) for names in _CHOICES.values()}


def event(type: str, job: JobId | str, source: Source | str, seqcode: SequenceCode | str, now: float,
          host: str, user: str = "", /, *, level: str = "SYSTEM", priority: int = 0, instance: str = "",
          **fields: object) -> Event:
    """A new event, checked against the table; a field it has not is refused. Raises BadEvent naming it.

    `from_` gives the field `from`; None and "" mean that there is no value.
    """
    found = event_type(type)
    fields = {name.removesuffix("_"): value for name, value in fields.items()}
    for name in fields.keys() - {field.name for field in found.fields}:
        raise BadEvent(f"{type} has no field {name}", field=name)
    return _checked(found, Event(found.name, str(job), _plain(source), str(seqcode), now, host, user, level,
                                 priority, instance, fields))


def validate(event: Event) -> Event:
    """The same event in canonical form, for records from the network: names in their spelling, values of
    their kind, unknown fields dropped. Raises BadEvent naming the field.
    """
    if len(event.fields) > MAX_FIELDS:
        raise BadEvent(f"{len(event.fields)} fields, at most {MAX_FIELDS} are taken", field="fields")
    return _checked(event_type(event.type), event)


def event_type(name: str) -> EventType:
    """The row of an event type, whatever the case of its name. Raises BadEvent."""
    found = EVENT_TYPES.get(name) or EVENT_TYPES.get(_SPELLING.get(name.lower(), ""))
    if found is None:
        raise BadEvent(f"undefined event {name[:100]!r}", field="type")
    return found


def duplicate_key(event: Event) -> tuple[str, str, str, str, int, str, str, str]:
    """Events equal in job, type, source, host, microsecond, level, user and sequence code are the same."""
    return (event.job, event.type, event.source, event.host, microseconds(event.timestamp), event.level,
            event.user, event.seqcode)


def result(event: Event) -> str:
    """How it went: `OK`, `FAIL` ..., several results joined by a slash, "" for types that have none."""
    return "/".join([event.fields[field.name] for field in EVENT_TYPES[event.type].results])


def microseconds(timestamp: float) -> int:
    """Epoch seconds as a whole number of microseconds."""
    return round(timestamp * 1e6)


def _checked(found: EventType, event: Event) -> Event:
    source = _choice(_SOURCES, event.source, "source")
    return Event(
        found.name, _job(event.job, "job"), source, _seqcode(event.seqcode, source),
        _time(event.timestamp, "timestamp"), _text(event.host, "host", required=True),
        _text(event.user, "user"), _choice(_LEVELS, event.level, "level"),
        _integer(_PRIORITY, event.priority), _text(event.instance, "instance"),
        _fields(found, event.fields), _time(event.arrived, "arrived"))


def _fields(found: EventType, given: Mapping[str, object]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for field in found.fields:
        value = given.get(field.name)
        if value is not None and value != "":
            values[field.name] = _READERS[field.kind](field, value)
        elif field.null is not None:
            values[field.name] = field.null
        elif not field.optional:
            raise BadEvent(f"{found.name} without {field.name}", field=field.name)
    return values


@lru_cache(maxsize=4096)
def _seqcode(text: str, source: str) -> str:
    if source not in _CLOCKED:
        return _text(text, "seqcode", required=True)
    try:
        return str(SequenceCode.parse(text))
    except BadSequenceCode as error:
        raise BadEvent(error.message, field="seqcode") from error


def _job(value: object, name: str) -> str:
    return _canonical_job(str(value), name)


@lru_cache(maxsize=4096)
def _canonical_job(value: str, name: str) -> str:
    """An event comes with many others of the same job."""
    try:
        return str(JobId.parse(value))
    except BadJobId as error:
        raise BadEvent(error.message, field=name) from error


def _time(value: float, name: str) -> float:
    if value == 0.0:
        return 0.0
    if not 0 <= value < END_OF_TIME:
        raise BadEvent(f"{name} {value} is not a time in seconds", field=name)
    return microseconds(value) / 1e6


def _plain(value: object) -> str:
    return str(value.value) if isinstance(value, Enum) else str(value)


def _text(value: object, name: str, *, required: bool = False) -> str:
    if not isinstance(value, str):
        raise BadEvent(f"{name} is not a text", field=name)
    if not value:
        if required:
            raise BadEvent(f"no {name}", field=name)
        return value
    if len(value) > MAX_TEXT or "\0" in value or not (value.isascii() or _encodable(value)):
        raise BadEvent(f"{name} is longer than {MAX_TEXT} bytes or not Unicode", field=name)
    return value


def _encodable(value: str) -> bool:
    try:
        return len(value.encode()) <= MAX_TEXT
    except UnicodeEncodeError:
        return False


def _choice(choices: Mapping[str, str], value: object, name: str) -> str:
    text = _plain(value)
    found = choices.get(text) or choices.get(text.lower())
    if found is None:
        raise BadEvent(f"{name} is none of {', '.join(dict.fromkeys(choices.values()))}", field=name)
    return found


def _integer(field: Field, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise BadEvent(f"{field.name} is not a whole number", field=field.name)
    try:
        number = int(value)
    except ValueError as error:
        raise BadEvent(f"{field.name} is not a whole number", field=field.name) from error
    if not -(1 << 63) <= number < 1 << 63:
        raise BadEvent(f"{field.name} is out of range", field=field.name)
    return number


def _real(field: Field, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise BadEvent(f"{field.name} is not a number", field=field.name)
    try:
        number = float(value)
    except (ValueError, OverflowError) as error:
        raise BadEvent(f"{field.name} is not a number", field=field.name) from error
    if not isfinite(number):
        raise BadEvent(f"{field.name} is not finite", field=field.name)
    return number


_READERS: dict[str, Callable[[Field, Any], Any]] = {
    "string": lambda field, value: _text(value, field.name),
    "int": _integer,
    "float": _real,
    "jobid": lambda field, value: _job(value, field.name),
    "enum": lambda field, value: _choice(_CHOSEN[field.choices], value, field.name),
}
