"""Who calls: by the certificate chain of the connection or by the bearer token of the request.

The chain is judged by `wms.tls` and `wms.x509`, once a connection, the token by `wms.issuers`, each time; what the
caller may do by `wms.authz`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cryptography import x509
from twisted.internet.interfaces import IReactorTime

from wms.authz.gate import Gate
from wms.errors import TokenIssuerUnknown
from wms.identity import Identity
from wms.tls import peer_chain
from wms.x509.proxy import identify


class Caller(NamedTuple):
    """`chain`: leaf first, as it was verified; empty without a certificate."""

    identity: Identity | None
    chain: tuple[x509.Certificate, ...] = ()


class Chains(Protocol):
    def caller(self, transport: Any, now: float) -> Caller:
        """By the connection alone; raises BadCredential."""
        ...


class Tokens(Protocol):
    async def identity(self, token: str, now: float) -> Identity:
        """Of a token that was verified; raises BadToken, and Unavailable when its issuer's keys cannot be had."""
        ...


class VerifiedChains:
    """What OpenSSL has verified, by the rules of RFC 3820."""

    def caller(self, transport: Any, now: float) -> Caller:
        chain = tuple(peer_chain(transport))
        return Caller(identify(chain, now) if chain else None, chain)


class NoTokens:
    async def identity(self, token: str, now: float) -> Identity:
        raise TokenIssuerUnknown("Tokens are not accepted here: no issuer is configured.")


@dataclass(slots=True)
class Callers:
    clock: IReactorTime
    gate: Gate
    chains: Chains
    tokens: Tokens

    async def who(self, transport: Any, token: str = "") -> Caller:
        """A token counts before a certificate. The name is that of the owner of records."""
        now = self.clock.seconds()
        if token:
            return Caller(self.gate.named(await self.tokens.identity(token, now)))
        known: Caller | None = getattr(transport, "wms_caller", None)
        if known is None or (known.identity is not None and known.identity.not_after <= now):
            known = transport.wms_caller = self.chains.caller(transport, now)
        return known if known.identity is None else Caller(self.gate.named(known.identity), known.chain)
