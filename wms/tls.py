"""TLS on the server side: contexts that let every certificate chain in, and what a connection showed and OpenSSL noted.

Nobody is known by these alone: whether a chain is anybody's is judged by `wms.trust`. Clients use `wms.clienttls`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, ITCPTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from wms.errors import ConfigError, UntrustedCredential
from wms.x509.proxy import LONGEST_CHAIN, PrivateKey
from wms.x509.reading import readable

MOST_CHAINS = 4096
"""A context that has seen so many is replaced by a fresh one: this bounds what its sessions keep."""
SESSION_S = 600
NOT_REMEMBERED = -1
"""The number noted for a resumed session whose handshake is not remembered."""


class Noted(NamedTuple):
    """What OpenSSL has against a certificate: its number, how far above the leaf, the certificate."""

    number: int
    depth: int
    certificate: crypto.X509


class Handshake(SSL.Connection):
    """A connection of a server; `noted` is all that OpenSSL has against the chain, in its order, `name` the digest of
    what was shown.
    """

    noted: tuple[Noted, ...] = ()
    name: bytes = b""


class Shown(NamedTuple):
    """What a client showed: its certificate first, then the others as they came; all of it has the digest `name`.

    `verified` is the path that a full handshake under `context` found; it is one only when nothing was noted.
    """

    leaf: crypto.X509
    others: tuple[crypto.X509, ...]
    noted: tuple[Noted, ...]
    name: bytes
    verified: tuple[crypto.X509, ...]
    context: SSL.Context


def read(certs: Iterable[crypto.X509]) -> tuple[x509.Certificate, ...]:
    """The same certificates. Raises BadCredential for what cannot be read."""
    return readable(lambda: (cert.to_cryptography() for cert in certs))


@dataclass(frozen=True, slots=True)
class HostCredential:
    """The service's own certificate, its key, and the authorities between it and the root."""

    certificate: x509.Certificate
    key: PrivateKey
    chain: tuple[x509.Certificate, ...] = ()


def host_credential(certificate: bytes, key: bytes) -> HostCredential:
    """From PEM files. ConfigError says what cannot be used."""
    try:
        first, *others = x509.load_pem_x509_certificates(certificate)
        private = serialization.load_pem_private_key(key, None)
        fits = first.public_key() == private.public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ConfigError(f"TLS: unusable certificate or key: {error}") from error
    if not isinstance(private, PrivateKey) or not fits:
        raise ConfigError("TLS: unusable certificate or key: they do not belong together.")
    return HostCredential(first, private, tuple(others))


@implementer(IOpenSSLServerConnectionCreator)
class ServerContext:
    """What `listenSSL` and `TLSMemoryBIOFactory` take. `use` changes what new connections get.

    A session is resumed from this process's memory, never by ticket: so the chain comes with it, and what was noted
    against it in the full handshake is remembered beside it. One that is not remembered counts as refused.
    """

    def __init__(self, host: HostCredential, authorities: Iterable[x509.Certificate]) -> None:
        self.use(host, authorities)

    def use(self, host: HostCredential, authorities: Iterable[x509.Certificate]) -> None:
        """For the connections that come: this certificate, these authorities, no sessions from before."""
        self._made_of = host, tuple(authorities)
        self._remembered: dict[bytes, tuple[Noted, ...]] = {}
        self._context = _context(host, self._made_of[1], self._remembered)

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        if len(self._remembered) >= MOST_CHAINS:
            self.use(*self._made_of)
        return Handshake(self._context, None)

    def getContext(self) -> SSL.Context:
        return self._context


def _context(host: HostCredential, authorities: Sequence[x509.Certificate],
             remembered: dict[bytes, tuple[Noted, ...]]) -> SSL.Context:
    """TLS 1.2 and later; asks for a certificate, takes any and none."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.use_certificate(host.certificate)
    for cert in host.chain:
        context.add_extra_chain_cert(cert)
    context.use_privatekey(host.key)
    store = context.get_cert_store()
    assert store is not None  # only a context that is being destroyed has none
    _fill(store, authorities)
    context.set_verify(SSL.VERIFY_PEER, _note)
    context.set_verify_depth(LONGEST_CHAIN)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
    context.set_session_id(b"wms")
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    context.set_timeout(SESSION_S)
    context.set_info_callback(lambda connection, where, _code: _finished(connection, where, remembered))
    return context


def _fill(store: crypto.X509Store, authorities: Iterable[x509.Certificate]) -> None:
    store.set_flags(crypto.X509StoreFlags.ALLOW_PROXY_CERTS)
    for cert in authorities:
        store.add_cert(crypto.X509.from_cryptography(cert))


def _note(connection: SSL.Connection, cert: crypto.X509, number: int, depth: int, ok: int) -> bool:
    """Let the handshake go on, which proves possession of the key, and remember what was wrong."""
    if not ok:
        assert isinstance(connection, Handshake)
        connection.noted = (*connection.noted, Noted(number, depth, cert))
    return True


def _finished(connection: SSL.Connection, where: int, remembered: dict[bytes, tuple[Noted, ...]]) -> None:
    """After a full handshake note what was noted, by the chain; after a resumed one look it up."""
    leaf = connection.get_peer_certificate() if where & SSL.SSL_CB_HANDSHAKE_DONE else None
    if leaf is None or not isinstance(connection, Handshake):
        return
    connection.name = _digest(leaf, connection.get_peer_cert_chain() or ())
    if connection.get_verified_chain() is not None:
        remembered[connection.name] = connection.noted
    else:
        connection.noted = remembered.get(connection.name, (Noted(NOT_REMEMBERED, 0, leaf),))


def _digest(leaf: crypto.X509, others: Iterable[crypto.X509]) -> bytes:
    encoded = (crypto.dump_certificate(crypto.FILETYPE_ASN1, cert) for cert in (leaf, *others))
    return hashlib.sha256(b"".join(encoded)).digest()


def shown(transport: Any) -> Shown | None:
    """What the client of this connection showed; None without a certificate or without TLS."""
    handle = getattr(transport, "getHandle", lambda: None)()
    if not isinstance(handle, Handshake):
        return None
    leaf = handle.get_peer_certificate()
    if leaf is None:
        return None
    return Shown(leaf, tuple(handle.get_peer_cert_chain() or ()), handle.noted, handle.name,
                 tuple(handle.get_verified_chain() or ()), handle.get_context())


# -- paths that no connection needs ----------------------------------------------------------------------


def trusting(authorities: Iterable[x509.Certificate]) -> crypto.X509Store:
    """A store for `path`."""
    store = crypto.X509Store()
    _fill(store, authorities)
    return store


def path(store: crypto.X509Store, leaf: crypto.X509, others: Sequence[crypto.X509]) -> tuple[crypto.X509, ...] | Noted:
    """From the leaf to a trusted authority, that one included, or what is wrong on the way, by the machine's clock."""
    try:
        found = crypto.X509StoreContext(store, leaf, list(others)).get_verified_chain()
    except crypto.X509StoreContextError as error:
        number, depth, *_text = error.errors
        return Noted(number, depth, error.certificate)
    return tuple(found)


def verify_path(chain: Sequence[x509.Certificate], ca_dir: str) -> None:
    """Check signatures, validity and trust of a leaf-first chain that no connection has shown.

    UntrustedCredential says what OpenSSL found, as of the machine's clock.
    """
    store = trusting(())
    store.load_locations(None, ca_dir)
    leaf, *others = (crypto.X509.from_cryptography(cert) for cert in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        raise UntrustedCredential(f"the certificate chain does not lead to a trusted CA: {error}") from error


def no_delay(transport: ITCPTransport) -> None:
    """Send small messages at once: with Nagle's algorithm they stall for 40 ms."""
    transport.setTcpNoDelay(True)
