"""The operations on delegated credentials and on what the job-side may have of them."""

from __future__ import annotations

from wms.operations.jobs import DelegationInfo
from wms.operations.row import Operation, Record, ns


class DelegationList(Record, frozen=True):
    """The caller's, by name."""

    delegations: tuple[DelegationInfo, ...]


class Forgotten(Record, frozen=True):
    """The credential `id` is gone; so many `jobs` that are not over needed it, of which the first are named."""

    id: str
    jobs: int = 0
    needed_by: tuple[str, ...] = ()


class TokenDelegation(Record, frozen=True):
    """A refresh token of `client_id` at the issuer of the caller's own token, which is the bearer of this request.

    Both empty: the service exchanges the caller's token at the issuer, if it has a client there; else it keeps the
    token itself until it ends.
    """

    refresh_token: str = ""
    client_id: str = ""


class FreshToken(Record, frozen=True):
    """For the payload; ends at `expires`. The next can be had from `next` on, 0: no other will come (epoch s)."""

    access_token: str
    expires: float
    next: float = 0.0


ROWS: tuple[Operation, ...] = (
    ns("delegations", "GET", "/delegations", "user", "All of the caller's delegations.", reply=DelegationList),
    ns("job_delegation", "GET", "/jobs/{unique}/delegation", "owner",
        "The delegated credential that a job was submitted with.", reply=DelegationInfo),
    ns("destroy_delegation", "DELETE", "/delegations/{delegation}", "user",
        "Forget a delegated credential. While jobs that are not over need it this is refused, unless the query says "
        "force=yes: then they end.", reply=Forgotten, action="delegate"),
    ns("delegate_token", "PUT", "/delegations/{delegation}/token", "user",
        "Delegate the token this request bears: the service keeps it alive for the caller's jobs.",
        request=TokenDelegation, reply=DelegationInfo, action="delegate"),
    ns("attempt_token", "GET", "/attempts/{unique}/{attempt}/token", "attempt",
        "A fresh access token of the job's owner, for the payload.", reply=FreshToken),
)
