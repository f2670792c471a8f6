"""Delegation of a token, and the fresh ones that running jobs are given.

What is held of a token is one sealed file (`wms.tokens.held`); Proxy Renewal keeps it fresh.
"""

from __future__ import annotations

from typing import Protocol

import sqlalchemy as sa

from ns import delegation_rows as rows
from ns import store
from ns.delegation import named
from ns.delegation_rows import Delegation
from ns.delegations import recorded, require_replaceable
from ns.running import attempt_of, check_live
from wms.credentials import PROXY, TOKEN, Credentials
from wms.errors import CredentialTooShort, NotFound, Refused, TokenExpired, Unavailable
from wms.httpd import Call
from wms.identity import TOKEN as TOKEN_KIND
from wms.identity import Identity
from wms.operations import DelegationInfo
from wms.operations.delegations import FreshToken, TokenDelegation
from wms.service import Kit
from wms.tokens.held import Held


class Exchange(Protocol):
    """The issuer of a token, as far as delegation goes."""

    async def exchange(self, token: str) -> Held:
        """A token of the service's own for the same subject, or the token itself. Raises Refused, Unavailable."""
        ...


class DelegatedTokens:
    """The operations; without an `exchange` an access token is kept as it is, until it ends."""

    def __init__(self, kit: Kit, exchange: Exchange | None = None) -> None:
        self._kit = kit
        self._exchange = exchange

    async def put(self, call: Call) -> DelegationInfo:
        body, user, kit, now = call.body, call.user, self._kit, self._kit.now()
        assert isinstance(body, TokenDelegation)
        credential = named(user.dn, call.params["delegation"])
        if user.kind != TOKEN_KIND or not call.bearer:
            raise Refused("This request bears no token that could be delegated.",
                          hint="Log in (wms login), or delegate your proxy.")
        row = Delegation(credential, call.params["delegation"], user.dn, user.not_after, TOKEN_KIND, user.vo,
                         user.fqans, user.issuer, not_before=now)
        most = kit.settings.ns.max_delegations
        await kit.database.read(require_replaceable, row, most, now, call.drained)
        held = await self._held(body, user, call.bearer)
        require_life(held, now, kit.settings.ns.min_proxy_s)
        await kit.thread(self._keep, credential, held)
        return await kit.database.transact(recorded, row._replace(not_after=held.expires), now)

    async def _held(self, body: TokenDelegation, user: Identity, token: str) -> Held:
        """The user's own refresh token, else what the issuer gives in exchange, else the token itself."""
        own = Held(user.issuer, token, user.not_after, body.refresh_token, body.client_id,
                   " ".join(sorted(user.scopes)))
        if bool(body.refresh_token) != bool(body.client_id):
            raise Refused("A refresh token is delegated together with the id of the client it was given to.")
        if body.refresh_token or self._exchange is None:
            return own
        try:
            return await self._exchange.exchange(token)
        except (Refused, Unavailable) as refused:
            self._kit.log.info("the token of {user} is kept as it is: {why}", user=user.dn, why=refused.message)
            return own

    def _keep(self, credential: str, held: Held) -> None:
        self._kit.credentials.write(credential, held.encode(), TOKEN)
        self._kit.credentials.remove(credential, PROXY)

    async def fresh(self, call: Call) -> FreshToken:
        kit, now = self._kit, self._kit.now()
        credential = await kit.database.read(_token_of, *attempt_of(call))
        try:
            held = Held.decode(await kit.thread(kit.credentials.read, credential, TOKEN))
        except FileNotFoundError:
            raise NotFound("The token of this job was taken back by its owner.") from None
        return handed_out(held, now, kit.settings.tokens.job_s, kit.settings.proxyrenewal.period_s)


def handed_out(held: Held, now: float, least_s: float, period_s: float) -> FreshToken:
    """For the payload, with the time to ask for the next: when this one has less than `least_s` left, or soon."""
    renewable = bool(held.refresh_token)
    if held.expires <= now:
        if renewable:
            raise Unavailable("The token of this job has ended and is being renewed.", hint="Ask again in a minute.")
        raise TokenExpired("The token of this job has ended, and nothing that renews it was delegated.")
    following = max(held.expires - least_s, now + period_s) if renewable else 0.0
    return FreshToken(held.access_token, held.expires, following)


def require_life(held: Held, now: float, needed_s: float) -> None:
    """Raises CredentialTooShort for a token that ends sooner than a job may begin."""
    if held.expires - now < needed_s and not held.refresh_token:
        raise CredentialTooShort(f"The token ends in less than {needed_s / 60:g} minutes.", not_after=held.expires,
                                 hint="Get a new one (wms login).")


def renewable_token(credentials: Credentials, credential: str) -> bool:
    """Is this a token that can be renewed? It blocks."""
    try:
        return bool(Held.decode(credentials.read(credential, TOKEN)).refresh_token)
    except FileNotFoundError:
        return False


def _token_of(conn: sa.Connection, id: str, number: int) -> str:
    """The credential of a running attempt of a job that was submitted with a token."""
    check_live(conn, id, number)
    job = store.job(conn, id)
    found = rows.find(conn, job.credential)
    if found is None:
        raise NotFound("The credential of this job was taken back by its owner.")
    if found.kind != TOKEN_KIND:
        raise NotFound("This job runs under a certificate: there is no token for it.",
                       hint="Its proxy is where X509_USER_PROXY says.")
    return job.credential
