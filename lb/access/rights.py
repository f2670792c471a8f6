"""Who may do what at this server: the twelve actions, the policy that grants them, and who sees what of a job.

Decisions from facts alone. Reading a policy's text is in lb.access.policy, refusing and counting in lb.access.denials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple, Protocol

from lb.access.views import View as View
from lb.access.views import shown as shown
from lb.state import acl
from lb.state.acl import plain_fqan
from wms.authz.relations import Reach, is_named, memberships
from wms.identity import Identity, same_dn

ANYBODY = ".*"


class Action(StrEnum):
    """What a policy can grant."""

    ADMIN_ACCESS = "ADMIN_ACCESS"
    READ_ALL = "READ_ALL"
    READ_ANONYMIZED = "READ_ANONYMIZED"
    STATUS_FOR_MONITORING = "STATUS_FOR_MONITORING"
    GET_STATISTICS = "GET_STATISTICS"
    PURGE = "PURGE"
    REGISTER_JOBS = "REGISTER_JOBS"
    REGISTER_FOREIGN = "REGISTER_FOREIGN"
    LOG_WMS_EVENTS = "LOG_WMS_EVENTS"
    LOG_CE_EVENTS = "LOG_CE_EVENTS"
    LOG_GENERAL_EVENTS = "LOG_GENERAL_EVENTS"
    GRANT_OWNERSHIP = "GRANT_OWNERSHIP"


EVERYBODYS = (Action.REGISTER_JOBS, Action.LOG_WMS_EVENTS, Action.LOG_CE_EVENTS, Action.LOG_GENERAL_EVENTS,
              Action.GRANT_OWNERSHIP)
"""What everybody with a certificate may do where there is no policy file."""
_TO_LOG = {
    "RegJob": Action.REGISTER_JOBS, "GrantPayloadOwnership": Action.GRANT_OWNERSHIP,
    **dict.fromkeys(("Running", "ReallyRunning", "Done"), Action.LOG_CE_EVENTS),
    **dict.fromkeys(("CurDescr", "UserTag", "ChangeACL"), Action.LOG_GENERAL_EVENTS),
}


def to_log(type: str) -> Action:
    """The action that an event of this type needs."""
    return _TO_LOG.get(type, Action.LOG_WMS_EVENTS)


class Rule(NamedTuple):
    """Who is meant: all subjects and all FQANs must be the caller's. `.*` is anybody; without a line, nobody is."""

    subjects: tuple[str, ...] = ()
    fqans: tuple[str, ...] = ()

    def matches(self, who: Identity) -> bool:
        held = {plain_fqan(fqan) for fqan in memberships(who)}
        return (bool(self.subjects or self.fqans)
                and all(subject == ANYBODY or is_named(who, subject) for subject in self.subjects)
                and all(fqan == ANYBODY or plain_fqan(fqan) in held for fqan in self.fqans))


Rules = Mapping[Action, tuple[Rule, ...]]


class Owned(Protocol):
    """What rights need of a job: DNs, and its access list as in lb.state.acl."""

    @property
    def owner(self) -> str: ...

    @property
    def payload_owner(self) -> str: ...

    @property
    def access_rights(self) -> list[str]: ...


class Above(Protocol):
    """The policy of the whole service (wms.authz), which stands above this one."""

    def superuser(self, identity: Identity) -> bool: ...

    def banned(self, identity: Identity) -> bool: ...

    def reach(self, identity: Identity, action: str) -> Reach: ...


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """Rules by action: any that matches grants it. An administrator may do everything, and so may a superuser of the
    service; to whom the service grants to read all jobs, so do we.
    """

    rules: Rules = field(default_factory=dict)
    above: Above | None = None

    def permits(self, action: Action, who: Identity) -> bool:
        if self.banned(who):
            return False
        return self._from_above(action, who) or action in _permitted(self, who)

    def banned(self, who: Identity) -> bool:
        return self.above is not None and self.above.banned(who)

    def _from_above(self, action: Action, who: Identity) -> bool:
        above = self.above
        return above is not None and (
            above.superuser(who) or (action is Action.READ_ALL and above.reach(who, "read") is Reach.ALL))


@lru_cache(maxsize=1000)
def _permitted(policy: Policy, who: Identity) -> frozenset[Action]:
    granted = frozenset(action for action, rules in policy.rules.items() if any(rule.matches(who) for rule in rules))
    return frozenset(Action) if Action.ADMIN_ACCESS in granted else granted


BUILT_IN: Rules = {action: (Rule((ANYBODY,)),) for action in EVERYBODYS}


def policy_of(rules: Rules = BUILT_IN, server: str = "", super_users: Iterable[str] = (),
              above: Above | None = None) -> Policy:
    """The rules and what always holds: the server's own DN reads and purges all, super users are administrators."""
    itself = (Rule((server,)),) if server else ()
    always = {Action.READ_ALL: itself, Action.PURGE: itself,
              Action.ADMIN_ACCESS: tuple(Rule((dn,)) for dn in super_users)}
    return Policy({action: (*rules.get(action, ()), *always.get(action, ())) for action in Action}, above)


def view(policy: Policy, who: Identity, status: Owned) -> View:
    """What the caller sees of this job: the first that holds."""
    if policy.banned(who):
        return View.NONE
    if _owns(who, status) or policy.permits(Action.ADMIN_ACCESS, who):
        return View.FULL
    if acl.grants(status.access_rights, acl.READ, who) or policy.permits(Action.READ_ALL, who):
        return View.FULL
    if policy.permits(Action.READ_ANONYMIZED, who):
        return View.ANONYMOUS
    return View.MONITORING if policy.permits(Action.STATUS_FOR_MONITORING, who) else View.NONE


def may_tag(who: Identity, status: Owned) -> bool:
    """May the caller add a tag to this job: its owner, the owner of its payload, or by the access list?"""
    return _owns(who, status) or acl.grants(status.access_rights, acl.TAG, who)


def is_owner(who: Identity, status: Owned) -> bool:
    """Did the caller, or who is known by the same name, register the job?"""
    return is_named(who, status.owner)


def _owns(who: Identity, status: Owned) -> bool:
    return is_owner(who, status) or is_named(who, status.payload_owner)


def same(a: str, b: str) -> bool:
    """Are these the same person? Mostly they are spelt alike too."""
    return a == b or same_dn(a, b)
