"""What a delegated credential is called here, and which one a job may be given.

Not how it comes here: `ns.delegations` (a proxy, by a signing request) and `ns.delegated_tokens`.
"""

from __future__ import annotations

import hashlib
import re

import sqlalchemy as sa

from ns import delegation_rows as rows
from ns.admission import foreign_vo
from ns.delegation_rows import Delegation
from wms.errors import (
    CredentialExpired,
    CredentialNotFound,
    DelegationMismatch,
    DelegationNeeded,
    LimitedProxy,
    Refused,
)
from wms.identity import Identity, canonical_dn
from wms.messages.credentials import Register

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def credential_id(owner: str, name: str) -> str:
    """The name of the credential that `owner` delegated under `name`."""
    return hashlib.sha256(f"{canonical_dn(owner)}\n{name}".encode()).hexdigest()[:40]


def named(owner: str, name: str) -> str:
    """Like `credential_id`, of a name that a caller gives; Refused when it is none."""
    if NAME.fullmatch(name) is None:
        raise Refused("A delegation is named with 1 to 128 letters, digits, '.', '_' or '-'.", value=name[:128])
    return credential_id(owner, name)


def require_full(user: Identity) -> None:
    """Raises LimitedProxy for a caller who may use services with data, but not have others act for him."""
    if user.limited:
        raise LimitedProxy("A limited proxy can neither submit nor delegate.",
                           hint="Make a full one: wms proxy init (or voms-proxy-init -rfc without -limited).")


def usable(conn: sa.Connection, user: Identity, name: str, needed_until: float) -> Delegation:
    """The caller's credential of this name, kept until the commit.

    Raises DelegationNeeded when there is none that lasts, DelegationMismatch when it carries other rights than the
    caller's own, LimitedProxy when it cannot be used for a job.
    """
    found = rows.find(conn, credential_id(user.dn, name), keep=True)
    if found is None or found.not_after < needed_until:
        raise DelegationNeeded("There is no delegated credential of this name that lasts long enough.",
                               hint="Delegate your proxy or token, then repeat the call.", delegation=name)
    if found.limited:
        raise LimitedProxy("The delegated proxy is a limited one: no job can be submitted with it.",
                           hint="Delegate a full one.", delegation=name)
    require_same_rights(found, user)
    return found


def require_same_rights(found: Delegation, user: Identity) -> None:
    """A credential and its caller act for the same groups and roles, or a job would have rights nobody asked for.

    Of a credential of another kind than the caller's only the VO can be compared.
    """
    if found.kind == user.kind:
        same = found.fqans == user.fqans and found.vo == user.vo
    else:
        same = not found.vo or not user.vo or found.vo == user.vo
    if not same:
        raise DelegationMismatch(
            f"The delegated credential carries {_rights(found.vo, found.fqans)}, "
            f"but yours carries {_rights(user.vo, user.fqans)}.",
            hint="Delegate the credential that you call with, or call with the one that you delegated.",
            delegation=found.name)


def require_vo(found: Delegation, vo: str) -> None:
    """The VO of a credential overrules all others; raises Refused for a job of another VO."""
    if found.vo and found.vo != vo:
        raise foreign_vo(vo, found.vo)


def registration(job: str, myproxy: str, found: Delegation) -> Register:
    """What Proxy Renewal is told of a job and its credential."""
    return Register(job, found.credential, found.owner, myproxy, found.not_after, found.kind, found.not_before)


def _rights(vo: str, fqans: tuple[str, ...]) -> str:
    return ", ".join(fqans) or (f"the VO {vo}" if vo else "no VO")


def still_usable(conn: sa.Connection, credential: str, now: float) -> Delegation:
    """The credential that a job was registered with; CredentialExpired, CredentialNotFound when it is over."""
    found = rows.find(conn, credential, keep=True)
    if found is None:
        raise CredentialNotFound("The delegated credential of this job is no longer here.",
                                 hint="Delegate again and submit the job again.")
    if found.not_after <= now:
        raise CredentialExpired("The delegated proxy of this job has expired.",
                                hint="Submit it again with a new proxy.")
    return found
