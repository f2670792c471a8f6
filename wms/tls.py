"""TLS on the server side: contexts that accept proxy chains, and the certificates a caller showed.

Who these certificates speak for is decided in `wms.x509.proxy`; clients use `wms.clienttls`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator, ITCPTransport
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from wms.errors import ConfigError, UntrustedCredential

_DEEPEST_CHAIN = 20


@implementer(IOpenSSLServerConnectionCreator)
class ServerContext:
    """What `listenSSL` and `TLSMemoryBIOFactory` take; keeps no session, so every caller shows its chain."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        return SSL.Connection(self._context, None)

    def getContext(self) -> SSL.Context:
        return self._context


def server_context(cert_file: str, key_file: str, ca_dir: str) -> ServerContext:
    """A context of TLS 1.2 and later that verifies a client's certificate or proxy chain when it shows one.

    `ca_dir` is a hashed CA directory. A session resumed by ticket would lose the chain and with it the
    caller's identity: there are neither tickets nor a session cache. ConfigError names the unusable file.
    """
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    _load(context, cert_file, key_file, ca_dir)
    context.set_verify(SSL.VERIFY_PEER, _verified)
    context.set_verify_depth(_DEEPEST_CHAIN)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION)
    context.set_session_id(b"wms")
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    return ServerContext(context)


def _load(context: SSL.Context, cert_file: str, key_file: str, ca_dir: str) -> None:
    try:
        context.use_certificate_chain_file(cert_file)
        context.use_privatekey_file(key_file)
        context.check_privatekey()
        _trust(context, ca_dir)
    except SSL.Error as error:
        raise ConfigError(f"TLS: unusable certificate {cert_file}, key {key_file} or CA directory {ca_dir}: "
                          f"{error}") from error


def _trust(context: SSL.Context, ca_dir: str) -> crypto.X509Store:
    context.load_verify_locations(None, ca_dir)
    store: crypto.X509Store | None = context.get_cert_store()
    assert store is not None  # only a context that is being destroyed has none
    store.set_flags(crypto.X509StoreFlags.ALLOW_PROXY_CERTS)
    return store


def _verified(_connection: SSL.Connection, _cert: crypto.X509, _error: int, _depth: int, ok: int) -> bool:
    return bool(ok)


def peer_chain(transport: Any) -> list[x509.Certificate]:
    """The chain OpenSSL verified, leaf first, the CA last; empty without a client certificate or TLS."""
    handle = getattr(transport, "getHandle", lambda: None)()
    if not isinstance(handle, SSL.Connection):
        return []
    return [cert.to_cryptography() for cert in handle.get_verified_chain() or ()]


def verify_path(chain: Sequence[x509.Certificate], ca_dir: str) -> None:
    """Check signatures, validity and trust of a leaf-first chain that no connection has shown.

    UntrustedCredential says what OpenSSL found, as of the machine's clock.
    """
    context = SSL.Context(SSL.TLS_METHOD)
    store = _trust(context, ca_dir)
    leaf, *others = (crypto.X509.from_cryptography(cert) for cert in chain)
    try:
        crypto.X509StoreContext(store, leaf, others).verify_certificate()
    except crypto.X509StoreContextError as error:
        raise UntrustedCredential(f"the certificate chain does not lead to a trusted CA: {error}") from error


def no_delay(transport: ITCPTransport) -> None:
    """Send small messages at once: with Nagle's algorithm they stall for 40 ms."""
    transport.setTcpNoDelay(True)
