"""Who calls: by the certificate chain of the connection or by the bearer token of the request.

The chain is judged by `wms.trust`, once a connection and again when the trust changed, the token by `wms.issuers`, each
time; what the caller may do by `wms.authz`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from cryptography import x509
from twisted.internet.interfaces import IReactorTime

from wms.authz.gate import Gate
from wms.errors import TokenIssuerUnknown
from wms.identity import Identity


class Caller(NamedTuple):
    """`chain`: leaf first, as it was verified, the authority last; empty without a certificate.

    It was judged by the trust of `generation`, and that holds until `until` (epoch s).
    """

    identity: Identity | None
    chain: tuple[x509.Certificate, ...] = ()
    until: float = math.inf
    generation: int = 0


class Chains(Protocol):
    @property
    def generation(self) -> int:
        """Another number whenever what was judged must be judged again."""
        ...

    def caller(self, transport: Any, now: float) -> Caller:
        """By the connection alone; raises BadCredential."""
        ...


class Tokens(Protocol):
    async def identity(self, token: str, now: float) -> Identity:
        """Of a token that was verified; raises BadToken, and Unavailable when its issuer's keys cannot be had."""
        ...


class NoChains:
    """Nobody is known by certificate."""

    generation = 0

    def caller(self, transport: Any, now: float) -> Caller:
        return Caller(None)


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
        """A token counts before a certificate, but a bad certificate is no better for it. The name is that of the
        owner of records.
        """
        now = self.clock.seconds()
        known = self._known(transport, now)
        if token:
            return Caller(self.gate.named(await self.tokens.identity(token, now)))
        return known if known.identity is None else Caller(self.gate.named(known.identity), known.chain)

    def _known(self, transport: Any, now: float) -> Caller:
        """By certificate. Whoever is refused is judged again at the next request."""
        known: Caller | None = getattr(transport, "wms_caller", None)
        if known is None or known.generation != self.chains.generation or now >= _end(known):
            known = transport.wms_caller = self.chains.caller(transport, now)
        return known


def _end(known: Caller) -> float:
    return known.until if known.identity is None else min(known.until, known.identity.not_after)
