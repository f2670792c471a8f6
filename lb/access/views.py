"""What is left of a status, or of events, for somebody who may not see all of it.

Who sees how much is decided in lb.access.rights.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from hashlib import sha256

import msgspec

from lb.state.acl import gacl
from wms.errors import JdlError
from wms.event import Event
from wms.identity import canonical_dn
from wms.jdl.ast import Ad
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse
from wms.jobstatus import JobStatus

PUBLIC_ATTRIBUTES = frozenset({"virtualorganisation", "jobtype", "type"})
LONGEST_CUT = 100_000  # characters of a description that are worth reading for three attributes
_NAMES = ("owner", "payload_owner")
_DESCRIPTIONS = ("jdl", "matched_jdl", "condor_jdl", "rsl")
_FOR_MONITORING = ("state", "job_id", "jobtype", "destination", "network_server", "state_enter_time",
                   "last_update_time", "state_enter_times", "ui_host")


class View(IntEnum):
    """How much of a job somebody sees, from nothing to all."""

    NONE = 0
    MONITORING = 1
    ANONYMOUS = 2
    FULL = 3


def shown(status: JobStatus, view: View, salt: bytes) -> JobStatus:
    """The status as this view has it, with its access list as GACL; `salt` is the server's, for hashed names."""
    match view:
        case View.FULL:
            return msgspec.structs.replace(status, acl=gacl(status.access_rights)) if status.access_rights else status
        case View.ANONYMOUS:
            return _anonymous(status, salt)
        case View.MONITORING:
            kept = {name: getattr(status, name) for name in _FOR_MONITORING}
            return JobStatus(**kept, jdl=_cut(status.jdl))
        case _:
            return JobStatus()


def shown_events(events: Sequence[Event], view: View, salt: bytes) -> list[Event]:
    """The events of a job as this view has them: all, without names of people, or none."""
    if view is View.FULL:
        return list(events)
    return [_unsigned(event, salt) for event in events if event.type != "ChangeACL"] if view is View.ANONYMOUS else []


def pseudonym(dn: str, salt: bytes) -> str:
    """A name that is always the same for one DN and tells nothing of it; "" for none."""
    return sha256(salt + canonical_dn(dn).encode()).hexdigest() if dn else ""


def _anonymous(status: JobStatus, salt: bytes) -> JobStatus:
    """Nobody's name, and no list of names."""
    hidden = {dn: pseudonym(dn, salt) for name in _NAMES if (dn := getattr(status, name))}
    changes = {name: hidden.get(getattr(status, name), "") for name in _NAMES}
    changes |= {name: _hidden(getattr(status, name), hidden) for name in _DESCRIPTIONS}
    return msgspec.structs.replace(
        status, **changes, acl="", access_rights=[], user_fqans=[], history=[],
        children_states=[_anonymous(child, salt) for child in status.children_states])


def _hidden(text: str, names: dict[str, str]) -> str:
    for name, instead in names.items():
        text = text.replace(name, instead)
    return text


def _unsigned(event: Event, salt: bytes) -> Event:
    names = {event.user: pseudonym(event.user, salt)} if event.user else {}
    if payload_owner := event.fields.get("payload_owner"):
        names[payload_owner] = pseudonym(payload_owner, salt)
    fields = {name: _hidden(value, names) if isinstance(value, str) else value for name, value in event.fields.items()}
    return msgspec.structs.replace(event, user=names.get(event.user, ""), fields=fields)


def _cut(text: str) -> str:
    """The three attributes of a description that are nobody's secret; nothing of what cannot be read."""
    if not text or len(text) > LONGEST_CUT:
        return ""
    try:
        ad = parse(text)
    except JdlError:
        return ""
    kept = tuple(attribute for attribute in ad.attributes if attribute.name.lower() in PUBLIC_ATTRIBUTES)
    return unparse(Ad(kept)) if kept else ""
