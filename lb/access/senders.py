"""Who may log which event about which job: the checks of one event, one after the other.

Decisions from facts alone; where the facts are kept, and what a refusal does, is in lb.access.intake.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from lb.access.rights import Action, Policy, is_owner, may_tag, same, to_log
from lb.state import acl
from wms.authz.relations import is_named
from wms.errors import JobExists, JobPurged, NoSuchJob, NotAuthorized, NotPermitted, Refused
from wms.event import Event, Source
from wms.identity import Identity

EXCLUSIVE = 64
"""The flag of a registration that must be the first, among those in an event's priority."""
OF_OWNERS = frozenset({Source.USER_INTERFACE.value, Source.LRMS.value, Source.APPLICATION.value})
OF_ATTEMPTS = frozenset({Source.LRMS.value, Source.APPLICATION.value})
ABOUT_RIGHTS = frozenset({"RegJob", "ChangeACL", "GrantPayloadOwnership", "TakePayloadOwnership"})


class Standing(msgspec.Struct, frozen=True):
    """What rights need of a stored record, which is decoded as this; all empty for a job nobody registered.

    `presumed` jobs were registered by their parent only. `purged` jobs were here once.
    """

    jobtype: str = ""
    owner: str = ""
    payload_owner: str = ""
    payload_granted: str = ""
    payload_taken: str = ""
    access_rights: list[str] = []
    presumed: bool = False
    purged: bool = False


NOBODY = Standing()


@dataclass(frozen=True, slots=True)
class Sender:
    """Who hands in events: the caller; `forwards` if the users given in events are believed; or `job`, whose
    attempt's token was shown, instead of a caller."""

    who: Identity | None
    forwards: bool = False
    job: str = ""


@dataclass(frozen=True, slots=True)
class Here:
    """This server: host:port of its jobs, its policy, its rules; `coming`: registrations may be under way."""

    address: str
    policy: Policy
    grey: bool = False
    exclusive_zombies: bool = True
    coming: bool = False


class Objection(NamedTuple):
    """Why an event is refused. `action` is what a denial is counted as, "" if it is none. The refusal does not hold
    if the event is there already, `stored_as` this."""

    code: str
    reason: str
    permanent: bool = True
    action: str = ""
    stored_as: Event | None = None


class _Case(NamedTuple):
    """An event as it would be stored, and all that decides on it."""

    event: Event
    given: str
    sender: Sender
    job: Standing
    here: Here
    parent: Standing

    @property
    def trusted(self) -> bool:
        """Does the server itself, or an administrator, say this in its own name?"""
        who = self.sender.who
        return self.sender.forwards and who is not None and same(self.event.user, who.dn)

    @property
    def user(self) -> Identity:
        """Who logged the event; only a caller's own events have FQANs."""
        who = self.sender.who
        own = who is not None and same(self.event.user, who.dn)
        return who if own and who is not None else Identity(self.event.user, not_after=0.0)

    def may(self, action: Action) -> bool:
        who = self.sender.who
        return self.sender.forwards or (who is not None and self.here.policy.permits(action, who))


def judged(event: Event, sender: Sender, job: Standing, here: Here, parent: Standing = NOBODY) -> Event | Objection:
    """The event as it is to be stored, with who logged it, or the first reason why not. `parent` is the job that a
    registration names as such."""
    given = event.user
    user = _user(given, event.type, sender, job, here)
    case = _Case(event if user == given else msgspec.structs.replace(event, user=user), given, sender, job, here,
                 parent)
    for check in CHECKS:
        if (found := check(case)) is not None:
            return found
    return case.event


def is_exclusive(event: Event) -> bool:
    """Is this a registration that must be the first of its job?"""
    return event.type == "RegJob" and event.priority > 0 and bool(event.priority & EXCLUSIVE)


def is_plain(event: Event) -> bool:
    """Is this a registration that may come first or again, so that nothing more need be known of its job?"""
    return event.type == "RegJob" and not is_exclusive(event)


def after(job: Standing, event: Event) -> Standing:
    """What rights are like after this event, for those that follow it in the same batch."""
    match event.type:
        case "RegJob":
            return msgspec.structs.replace(job, jobtype=job.jobtype or event.fields["jobtype"], presumed=False,
                                           owner=job.owner or event.user, purged=False)
        case "ChangeACL":
            return msgspec.structs.replace(job, access_rights=acl.changed(job.access_rights, event.fields))
        case "GrantPayloadOwnership":
            return _handed_over(msgspec.structs.replace(job, payload_granted=event.fields["payload_owner"]))
        case "TakePayloadOwnership":
            return _handed_over(msgspec.structs.replace(job, payload_taken=event.user))
        case _:
            return job


def _handed_over(job: Standing) -> Standing:
    if not same(job.payload_granted, job.payload_taken):
        return job
    return msgspec.structs.replace(job, payload_owner=job.payload_taken, payload_granted="", payload_taken="")


def _user(given: str, type: str, sender: Sender, job: Standing, here: Here) -> str:
    """Who logged it: the caller, whatever the event says; a forwarder, and who may register for others, is believed."""
    who = sender.who
    if who is None:
        return job.owner
    foreign = type == "RegJob" and here.policy.permits(Action.REGISTER_FOREIGN, who)
    return given if given and (sender.forwards or foreign) else who.dn


def _of_this_server(case: _Case) -> Objection | None:
    address = case.event.job.removeprefix("https://").partition("/")[0]
    if address == case.here.address:
        return None
    return Objection(NoSuchJob.code, f"{address} does not match server address {case.here.address}")


def _of_its_attempt(case: _Case) -> Objection | None:
    """A token is for one job, for what happens on the worker node, and for nobody's rights."""
    if case.sender.who is not None:
        return None
    if _unique(case.event.job) != _unique(case.sender.job):
        return _denied("This token is for another job.", to_log(case.event.type))
    if case.event.source not in OF_ATTEMPTS or case.event.type in ABOUT_RIGHTS:
        return _forbidden(f"A job's token is not for {case.event.type} of {case.event.source}.", case)
    return None


def _permitted(case: _Case) -> Objection | None:
    if case.sender.who is None:
        return None
    action = to_log(case.event.type)
    if not case.may(action):
        return _forbidden(f"The policy of this server does not grant you {action}.", case)
    if case.event.source == Source.LB_SERVER and not case.sender.forwards:
        return _forbidden("Only the server logs as LBServer.", case)
    return None


def _registered_by_owner(case: _Case) -> Objection | None:
    if case.event.type != "RegJob":
        return None
    who = case.sender.who
    if case.given and not same(case.given, case.event.user) and (who is None or not is_named(who, case.given)):
        return _denied("A job is registered by its owner.", Action.REGISTER_FOREIGN)
    if case.job.jobtype and not same(case.job.owner, case.event.user):
        return _denied("This job belongs to somebody else.", Action.REGISTER_JOBS)
    if case.parent.jobtype and not (case.sender.forwards or same(case.parent.owner, case.event.user)):
        return _denied("Its parent belongs to somebody else.", Action.REGISTER_JOBS)
    exists = bool(case.job.jobtype) and not case.job.presumed
    if is_exclusive(case.event) and (exists or (case.job.purged and case.here.exclusive_zombies)):
        return Objection(JobExists.code, f"{case.event.job} exists already", stored_as=case.event)
    return None


def _known(case: _Case) -> Objection | None:
    if case.event.type == "RegJob" or case.job.jobtype or case.here.grey:
        return None
    if case.job.purged:
        return Objection(JobPurged.code, f"{case.event.job} was purged")
    return Objection(NoSuchJob.code, f"{case.event.job} is not registered", permanent=not case.here.coming)


def _by_owner(case: _Case) -> Objection | None:
    """What the job's own side says comes from its owner, or is one of the things that others may say."""
    type = case.event.type
    if case.event.source not in OF_OWNERS or type == "RegJob" or _owned(case):
        return None
    if type == "TakePayloadOwnership" or (type == "UserTag" and may_tag(case.user, case.job)):
        return None
    return _denied("This job belongs to somebody else.", to_log(type))


def _about_rights(case: _Case) -> Objection | None:
    if case.event.type not in ("ChangeACL", "GrantPayloadOwnership"):
        return None
    if not _owned(case):
        return _denied("Only the owner of a job changes who has rights to it.", to_log(case.event.type))
    fields = case.event.fields
    if fields.get("operation") == "REMOVE" and not acl.holds(case.job.access_rights, acl.asked(fields)):
        return Objection(Refused.code, f"there is no entry {acl.asked(fields).text}", stored_as=case.event)
    return None


CHECKS: tuple[Callable[[_Case], Objection | None], ...] = (
    _of_this_server, _of_its_attempt, _permitted, _registered_by_owner, _known, _by_owner, _about_rights)


def _owned(case: _Case) -> bool:
    """Is it the owner who logged this? Of a job that nobody registered, that cannot be said yet."""
    return not case.job.jobtype or case.trusted or is_owner(case.user, case.job)


def _unique(job: str) -> str:
    return job.rpartition("/")[2]


def _denied(reason: str, action: Action) -> Objection:
    return Objection(NotAuthorized.code, reason, action=action)


def _forbidden(reason: str, case: _Case) -> Objection:
    return Objection(NotPermitted.code, reason, action=to_log(case.event.type))
