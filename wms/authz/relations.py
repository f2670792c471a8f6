"""What a caller is to a job, and how far his rights reach: decisions about an identity and a record, from facts alone.

Not who is calling (wms.callers) and not what the policy grants him (wms.authz.policy).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Protocol

from wms.errors import NotAuthorized
from wms.identity import TOKEN, Identity, same_dn


class Reach(IntEnum):
    """Whose jobs the policy lets the caller do something with: his own, those of his VO too, or all."""

    OWN = 0
    VO = 1
    ALL = 2


class Relation(StrEnum):
    OWNER = "owner"
    SAME_VO = "same VO"
    OTHER = "other"


NEEDED = {Relation.OWNER: Reach.OWN, Relation.SAME_VO: Reach.VO, Relation.OTHER: Reach.ALL}
"""How far rights must reach to a job of this relation."""


class Owned(Protocol):
    """A job, or anything else that has an owner and a VO."""

    @property
    def owner(self) -> str: ...

    @property
    def vo(self) -> str: ...


class Asking(Protocol):
    """A call: who asks, and how far the policy lets him reach in this."""

    @property
    def user(self) -> Identity: ...

    @property
    def jobs(self) -> Reach: ...


def names(who: Identity) -> tuple[str, ...]:
    """Of the owner, and of the credential itself if that is another."""
    return (who.dn, who.shown) if who.shown else (who.dn,)


def is_named(who: Identity, name: str) -> bool:
    """Is this a name of the caller, in any spelling? Nobody has an empty one."""
    return bool(name) and any(own == name or same_dn(own, name) for own in names(who))


def relation(who: Identity, job: Owned) -> Relation:
    """Nobody is related to what has no owner and no VO."""
    if is_named(who, job.owner):
        return Relation.OWNER
    return Relation.SAME_VO if who.vo and who.vo == job.vo else Relation.OTHER


def may(call: Asking, job: Owned) -> bool:
    """Does the right of the caller reach this job?"""
    return call.jobs >= NEEDED[relation(call.user, job)]


def require(call: Asking, job: Owned) -> None:
    """Raises NotAuthorized unless the right of the caller reaches this job; never tells whose it is."""
    if not may(call, job):
        raise NotAuthorized("This job belongs to somebody else.", caller=call.user.dn,
                            hint="Use the credential with which the job was submitted.")


def memberships(who: Identity) -> tuple[str, ...]:
    """FQANs; the groups of a token too, if they are of its VO: an issuer speaks for no other."""
    if who.kind != TOKEN or not who.vo:
        return who.fqans
    home = f"/{who.vo}"
    return (*who.fqans, *(group for group in who.groups if group == home or group.startswith(home + "/")))
