"""The issuers that are trusted here: bearer tokens become identities; tokens are exchanged and refreshed.

A part of the process. The rules are `wms.tokens`, the keys `wms.issuer_keys`. A token that was verified is
remembered by its digest, so that a request of its bearer costs no signature and no question to anybody.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from wms.config import Settings, split_address
from wms.errors import BadToken, ConfigError, TokenIssuerUnknown, TokenKeyUnknown, Unavailable
from wms.fetch import Answer, Fetch
from wms.identity import Identity
from wms.issuer_keys import Fetching, IssuerKeys
from wms.service import Kit
from wms.tokens import endpoint, trusted
from wms.tokens.endpoint import Denied, Granted
from wms.tokens.held import Held
from wms.tokens.keys import Keys
from wms.tokens.reading import Unverified, bounded, claimed, read
from wms.tokens.trusted import Trusted
from wms.tokens.verification import Rules, verify

REMEMBERED = 10_000
"""Most tokens that are known to be good; the oldest goes first."""


class _Issuer(NamedTuple):
    trusted: Trusted
    secret: str
    keys: IssuerKeys

    def __repr__(self) -> str:
        return f"_Issuer({self.trusted.url!r})"


class _Known(NamedTuple):
    """A token that was verified with these keys."""

    issuer: _Issuer
    keys: Keys
    identity: Identity


class Issuers:
    """Raises ConfigError for a configuration that cannot be used, with all its problems."""

    def __init__(self, kit: Kit, fetch: Fetching | None = None) -> None:
        self._kit = kit
        self._connections = Fetch(kit) if fetch is None else None
        self._fetch: Fetching = fetch or self._connections  # type: ignore[assignment]
        self._rules = Rules(audiences(kit.settings), kit.settings.tokens.skew_s)
        self._issuers = {one.url: _Issuer(one, secret, IssuerKeys(kit, one.url, self._fetch))
                         for one, secret in configured(kit.settings)}
        self._verified: dict[bytes, _Known] = {}

    async def start(self) -> None:
        """Keys are fetched when the first token comes."""

    async def stop(self) -> None:
        for issuer in self._issuers.values():
            issuer.keys.stop()
        if self._connections is not None:
            await self._connections.stop()

    async def identity(self, token: str, now: float) -> Identity:
        """Whom the token speaks for. Raises BadToken, and Unavailable when its issuer's keys cannot be had."""
        try:
            return await self._identity(token, now)
        except BadToken as refused:
            self._kit.log.warn("a token is refused: {reason}", reason=refused.message, code=refused.code,
                               claimed=claimed(token) or "-")
            raise

    async def _identity(self, token: str, now: float) -> Identity:
        digest = sha256(bounded(token)).digest()
        known = self._verified.get(digest)
        if known is not None:
            if now < known.identity.not_after and await known.issuer.keys.current(now) is known.keys:
                return known.identity
            self._verified.pop(digest, None)
        known = await self._verify(token, now)
        while len(self._verified) >= REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = known
        return known.identity

    async def exchange(self, token: str) -> Held:
        """What the service keeps of a caller's token: one of its own that can be refreshed, else the token itself.

        Raises BadToken, Unavailable. An issuer that refuses the exchange is logged, and the token kept as it is.
        """
        identity = await self.identity(token, self._kit.now())
        issuer = self._issuers[identity.issuer]
        client = issuer.trusted.client_id
        alone = Held(identity.issuer, token, identity.not_after, scope=" ".join(sorted(identity.scopes)))
        if not client:
            return alone
        found = await self._ask(issuer, endpoint.exchange(token, identity.scopes, identity.groups), token, client)
        if isinstance(found, Denied):
            self._kit.log.warn("{issuer} does not exchange a token of {user}: {error}", issuer=issuer.trusted.url,
                               user=identity.dn, error=found.error)
            return alone
        return Held(identity.issuer, found.access_token, found.expires, found.refresh_token, client, found.scope)

    async def refresh(self, held: Held) -> Held:
        """The next tokens. Raises BadToken (Refused) when it is useless to repeat it, else Unavailable."""
        issuer = self._issuers.get(held.issuer)
        if issuer is None:
            raise TokenIssuerUnknown("The issuer of the token is not trusted here any more.")
        if not held.refresh_token:
            raise BadToken("The token cannot be renewed: there is no refresh token.")
        ours = issuer.trusted.client_id
        client = held.client_id or ours
        body = endpoint.refresh(held.refresh_token, "" if client == ours else client)
        found = await self._ask(issuer, body, held.access_token, client)
        if isinstance(found, Denied):
            if found.error == "invalid_grant":
                raise BadToken(f"{issuer.trusted.url} does not renew the token any more (invalid_grant).",
                               hint="Log in again (wms login) and delegate again.")
            raise Unavailable(f"{issuer.trusted.url} does not renew the token now ({found.error}).")
        return Held(held.issuer, found.access_token, found.expires, found.refresh_token or held.refresh_token,
                    client, found.scope or held.scope)

    async def _verify(self, token: str, now: float) -> _Known:
        taken = read(token)
        issuer = self._issuers.get(taken.claims.iss)
        if issuer is None:
            raise TokenIssuerUnknown("The issuer of the token is not trusted here.",
                                     hint=f"Trusted: {', '.join(sorted(self._issuers)) or 'none'}.")
        keys = await issuer.keys.current(now)
        try:
            return self._judged(taken, issuer, keys, now)
        except TokenKeyUnknown:
            newer = await issuer.keys.newer(now)
            return self._judged(taken, issuer, newer, now)

    def _judged(self, taken: Unverified, issuer: _Issuer, keys: Keys, now: float) -> _Known:
        one = issuer.trusted
        return _Known(issuer, keys, verify(taken, one.url, one.vo, keys, self._rules, now))

    async def _ask(self, issuer: _Issuer, body: bytes, whose: str, client: str) -> Granted | Denied:
        """One question to the token endpoint; nothing of it is in an error."""
        url = await issuer.keys.token_endpoint(self._kit.now())
        if not url:
            return Denied("it has no token endpoint")
        headers = {"Content-Type": endpoint.FORM, "Accept": "application/json"}
        if client and client == issuer.trusted.client_id:
            headers["Authorization"] = endpoint.basic(client, issuer.secret)
        try:
            found: Answer = await self._fetch("POST", url, body, headers, self._kit.settings.tokens.timeout_s)
            return endpoint.answer(found.status, found.body, whose)
        except Unavailable as error:
            raise Unavailable(f"{issuer.trusted.url} does not answer as it should: {error.message}") from None


def audiences(settings: Settings) -> frozenset[str]:
    """What `aud` may be: as configured, else the addresses of the services of this host."""
    if settings.tokens.audiences:
        return frozenset(settings.tokens.audiences)
    ports = {split_address(address)[1] for address in (settings.ns.listen, settings.lb.listen)}
    return frozenset(f"https://{settings.host}" + ("" if port == 443 else f":{port}") for port in ports)


def configured(settings: Settings) -> list[tuple[Trusted, str]]:
    """The trusted issuers, each with the secret of the service's client there. Raises ConfigError."""
    found, problems = trusted.parse(settings.tokens.issuers)
    pairs = []
    for one in found:
        try:
            pairs.append((one, _secret(one.client_secret_file)))
        except ConfigError as error:
            problems.append(f"tokens.issuers.{one.url}: {error.message}")
    if problems:
        raise ConfigError("\n".join(problems), problems=problems)
    return pairs


def _secret(file: str) -> str:
    """The content of a private file; empty without a name."""
    if not file:
        return ""
    path = Path(file)
    try:
        mode, secret = path.stat().st_mode, path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"client_secret_file: {file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"client_secret_file: {file} is not ASCII text") from None
    if mode & 0o077:
        raise ConfigError(f"client_secret_file: {file} can be read by others; run: chmod 600 {file}")
    if not secret:
        raise ConfigError(f"client_secret_file: {file} is empty")
    return secret
