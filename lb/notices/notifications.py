"""Registered questions: which change of a job concerns a registration, and what its owner is told.

Pure: rows are in lb.notices.notification_store, the choice of who may be concerned in lb.notices.notification_index.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from enum import IntFlag
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from lb.queries.condition_values import jdl_value
from lb.queries.conditions import Conditions, JobTest, Operator, job_test
from wms.errors import NoSuchNotification, Refused
from wms.event import Event
from wms.identity import Identity, same_dn
from wms.jobstatus import JobStatus

PREFIX = "NOTIF:"
STREAM, WEBHOOK, TOPIC = "", "https://", "x-msg://"
"""How a destination begins: fetched by its owner, posted to a web server, sent to a message broker."""
LONGEST_DESTINATION = 1000
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)


class Flag(IntFlag):
    """What a registration asks for besides its conditions; the numbers are those of the query flags."""

    CLASSADS = 1
    ANONYMIZE = 32
    TERMINAL = 64
    HISTORY = 128
    BOOTSTRAP = 256


FLAGS = {flag.name.lower(): flag for flag in Flag if flag.name}


class Registration(msgspec.Struct, frozen=True):
    """One registration: `owner` is a canonical DN, `identity` who reads, times are epoch seconds."""

    id: str
    owner: str
    identity: Identity
    destination: str
    conditions: Conditions
    flags: Flag
    created: float
    ends: float
    secret: str = ""


class Notice(NamedTuple):
    """What a registration has yet to be told; ids grow, `body` is one JSON object."""

    id: int
    body: bytes


class Watch(NamedTuple):
    """A registration and the test that its conditions are."""

    registration: Registration
    test: JobTest

    def concerned(self, before: JobStatus | None, after: JobStatus, now: float) -> bool:
        """Is its owner to be told that this job, which was `before`, is `after`?"""
        given = self.registration
        if given.ends <= now or (Flag.TERMINAL in given.flags and not after.state.terminal):
            return False
        return self.test(after, before)


def watch(registration: Registration) -> Watch:
    """The registration, ready to be asked often."""
    return Watch(registration, job_test(registration.conditions))


def flags_of(names: Iterable[str]) -> Flag:
    """The flags of these names; raises Refused."""
    found = Flag(0)
    for name in names:
        if name.lower() not in FLAGS:
            raise Refused(f"There is no flag '{name[:50]}'.", hint=f"One of {', '.join(FLAGS)}.")
        found |= FLAGS[name.lower()]
    return found


def names_of(flags: Flag) -> tuple[str, ...]:
    """The names of these flags."""
    return tuple(name for name, flag in FLAGS.items() if flag in flags)


def others_by_owner(conditions: Conditions, caller: str) -> bool:
    """Does any condition ask who owns a job, other than whether the caller (a DN) does?"""
    return any(one.attribute == "owner" and not (one.operator is Operator.EQUAL and same_dn(str(one.value), caller))
               for group in conditions for one in group)


def granted(asked_s: float, usual_s: float, most_s: float, credential_ends: float, now: float) -> float:
    """When a registration ends (epoch s): as asked (0: the usual time), cut to what is allowed and trusted."""
    return min(now + min(asked_s or usual_s, most_s), credential_ends)


def name_of(id: str, address: tuple[str, int]) -> str:
    """The identifier of a registration as everybody knows it."""
    return f"https://{address[0]}:{address[1]}/{PREFIX}{id}"


def id_of(text: str) -> str:
    """The key of a registration from any form of its identifier; raises NoSuchNotification for anything else."""
    id = text.rpartition(PREFIX)[2]
    if _ID.fullmatch(id) is None:
        raise NoSuchNotification(f"'{text[:200]}' is not the identifier of a notification.")
    return id


# -- what is told ----------------------------------------------------------------------------------------


def message(status: JobStatus, flags: Flag, events: Sequence[Event] = ()) -> dict[str, Any]:
    """One JSON object about a job; without the flag CLASSADS nothing of its descriptions but the VO."""
    told: dict[str, Any] = {
        "jobid": status.job_id,
        "ownerDn": status.owner,
        "VirtualOrganisation": organisation(status),
        "bkHost": urlsplit(status.job_id).netloc.rpartition(":")[0],
        "networkHost": status.network_server,
        "lastUpdateTime": moment(status.last_update_time),
        "stateName": status.state.value,
        "stateStartTime": moment(status.state_enter_time),
        "condorId": status.condor_id,
        "destSite": status.destination,
        "exitCode": status.exit_code,
        "doneCode": status.done_code.value,
        "statusReason": status.reason,
        "history": [_event(event, flags) for event in events],
    }
    if Flag.CLASSADS in flags:
        told |= {"jdl": status.jdl, "matchedJdl": status.matched_jdl, "condorJdl": status.condor_jdl,
                 "rsl": status.rsl}
    return told


def organisation(status: JobStatus) -> str:
    """The virtual organisation of a job's description; "" if it names none."""
    return jdl_value(status.jdl, "virtualorganisation") or ""


def lost(number: int) -> dict[str, Any]:
    """What is told instead of this many notices that nobody took in time."""
    return {"lost": number}


@lru_cache(maxsize=1000)
def moment(seconds: float) -> str:
    """Epoch seconds as ISO 8601 in UTC; "" for never."""
    if not seconds:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _event(event: Event, flags: Flag) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(event)
    if Flag.CLASSADS not in flags and "jdl" in event.fields:
        told["fields"] = {name: value for name, value in told["fields"].items() if name != "jdl"}
    return told
