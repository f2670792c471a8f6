"""People who delegate: callers with real chains at the handlers of the Network Server, on the world's clock."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.suite.world import NOW, World
from wms.httpd import Call
from wms.identity import TOKEN, Identity, token_name
from wms.operations import OPERATIONS, DelegationChain, DelegationInfo, DelegationRequest
from wms.x509 import authority, proxy
from wms.x509.proxy import Proxy, PublicKey
from wms.x509.rfc3820 import ATTRIBUTE_CERTIFICATES, INHERIT_ALL, LIMITED, PROXY_CERT_INFO, ProxyInfo

AUTHORITY = authority.make_authority(NOW, serial=1, dn="/DC=org/DC=example/CN=CA", kind="ec")
DAY = 86_400.0
ISSUER = "https://issuer.example.org"
_numbers = count(1000)


@dataclass(frozen=True, slots=True)
class Caller:
    """A credential and who that is; `bearer` of one who calls with a token."""

    identity: Identity
    credential: Proxy | None = None
    bearer: str = ""

    def calls(self, world: World, name: str, body: object = None, query: dict[str, str] | None = None,
              **params: str) -> Any:
        """The reply to a call that this one makes."""
        chain = self.credential.chain if self.credential else ()
        key = str(UUID(int=next(_numbers)))
        call = Call(OPERATIONS[name], params, query or {}, self.identity, chain, None, body, key, io.BytesIO(), 0,
                    "", "", "10.0.0.1", bearer=self.bearer)
        return world.result(world.handlers[name](call))

    def asks(self, world: World, name: str = "d") -> str:
        """A signing request."""
        reply: DelegationRequest = self.calls(world, "ns.request_delegation", delegation=name)
        return reply.csr_pem

    def puts(self, world: World, chain: str, name: str = "d") -> DelegationInfo:
        reply: DelegationInfo = self.calls(world, "ns.put_delegation", DelegationChain(chain), delegation=name)
        return reply

    def delegates(self, world: World, name: str = "d") -> DelegationInfo:
        return self.puts(world, signed(self.asks(world, name), self.credential), name)


def someone(name: str = "alice", *, life_s: float = DAY, fqans: tuple[str, ...] = (), attributes: bytes = b"",
            limited: bool = False, path_length: int | None = None, now: float = NOW) -> Caller:
    """A caller with a proxy; `fqans` are what the (opaque) `attributes` were found to say."""
    issued = authority.user_certificate(AUTHORITY, name, NOW, serial=2, kind="ec", days=30)
    owner = proxy.load(issued.certificate + issued.key)
    return caller(extended(owner, life_s=life_s, attributes=attributes, limited=limited, path_length=path_length,
                           now=now), fqans, now)


def caller(credential: Proxy, fqans: tuple[str, ...] = (), now: float = NOW) -> Caller:
    vo = fqans[0].split("/")[1] if fqans else ""
    found = proxy.identify(credential.chain, now)
    return Caller(dataclasses.replace(found, fqans=fqans, vo=vo), credential)


def bearer(subject: str = "alice", *, life_s: float = 3600.0, vo: str = "", text: str = "header.claims.signature",
           dn: str = "") -> Caller:
    """A caller with an access token."""
    return Caller(Identity(dn or token_name(ISSUER, subject), not_after=NOW + life_s, kind=TOKEN, issuer=ISSUER,
                           subject=subject, vo=vo), None, text)


def extended(issuer: Proxy, key: PublicKey | None = None, *, life_s: float = DAY, attributes: bytes = b"",
             limited: bool = False, path_length: int | None = None, now: float = NOW) -> Proxy:
    """A proxy below `issuer` as no honest tool might make it, for `key` or one of its own."""
    own, parent, serial = proxy.new_key("ec"), issuer.chain[0], next(_numbers)
    info = ProxyInfo(path_length, LIMITED if limited else INHERIT_ALL).encode()
    added = x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.COMMON_NAME, str(serial))])
    builder = (x509.CertificateBuilder(parent.subject, x509.Name([*parent.subject.rdns, added]),
                                       key or own.public_key(), serial)
               .not_valid_before(datetime.fromtimestamp(now - 60, UTC))
               .not_valid_after(datetime.fromtimestamp(now + life_s, UTC))
               .add_extension(x509.UnrecognizedExtension(PROXY_CERT_INFO, info), critical=True))
    if attributes:
        builder = builder.add_extension(x509.UnrecognizedExtension(ATTRIBUTE_CERTIFICATES, attributes), critical=False)
    return Proxy((builder.sign(issuer.key, hashes.SHA256()), *issuer.chain), own)


def signed(csr: str, by: Proxy | None, **more: Any) -> str:
    """The chain for a signing request."""
    assert by is not None
    return pem(extended(by, proxy.requested_key(csr.encode()), **more))


def pem(credential: Proxy) -> str:
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in credential.chain)
