"""Who may do what: decisions about an identity and a record, made from their facts alone.

Not who is calling (wms.x509.proxy, wms.httpd) and not what happens after a refusal.
"""

from __future__ import annotations

from wms.errors import NotAuthorized
from wms.identity import Identity, same_dn


def may_read(identity: Identity, owner: str) -> bool:
    """May this caller read a job of `owner` (a DN; empty while nobody has registered it)?"""
    return bool(owner) and same_dn(identity.dn, owner)


def require_owner(identity: Identity, owner: str) -> None:
    """Raises NotAuthorized unless the caller is `owner`."""
    if not may_read(identity, owner):
        raise NotAuthorized("This job belongs to somebody else.", caller=identity.dn,
                            hint="Use the credential with which the job was submitted.")
