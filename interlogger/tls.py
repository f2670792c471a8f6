"""TLS for the requests of a daemon: shows the host's certificate, checks that of the server and its name.

The side of the server is `wms.tls`; commands use `wms.clienttls`.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from service_identity.pyopenssl import verify_hostname, verify_ip_address
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from wms.errors import BadCredential, UntrustedCredential


class ClientContext:
    """The files, read: host certificate and chain, its key, a hashed directory of CAs."""

    def __init__(self, cert_file: str, key_file: str, ca_dir: str) -> None:
        context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        try:
            context.use_certificate_chain_file(cert_file)
            context.use_privatekey_file(key_file)
            context.check_privatekey()
            context.load_verify_locations(None, ca_dir)
        except SSL.Error as error:
            raise BadCredential(f"unusable certificate {cert_file}, key {key_file} or CA directory {ca_dir}") from error
        context.set_verify(SSL.VERIFY_PEER, lambda _connection, _cert, _error, _depth, ok: bool(ok))
        context.set_info_callback(_progress)
        self._context = context

    def to(self, host: str) -> ToHost:
        """For a connection to that host, a name or an address (an IPv6 one with or without brackets)."""
        return ToHost(self._context, host.strip("[]"))


@implementer(IOpenSSLClientConnectionCreator)
class ToHost:
    """Makes connections that end unless the server is that host."""

    def __init__(self, context: SSL.Context, host: str) -> None:
        self._context = context
        self._host = host
        self._is_address = _is_address(host)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_app_data((self, tlsProtocol))
        if not self._is_address:
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def check(self, connection: SSL.Connection) -> None:
        """Raises UntrustedCredential when the certificate is not that of the host."""
        try:
            (verify_ip_address if self._is_address else verify_hostname)(connection, self._host)
        except (VerificationError, CertificateError) as error:
            raise UntrustedCredential(f"the server's certificate is not one of {self._host}") from error


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _progress(connection: SSL.Connection, where: int, _result: int) -> None:
    """OpenSSL calls this; nothing may be raised through it."""
    wanted: Any = connection.get_app_data()
    if wanted is not None and where & SSL.SSL_CB_HANDSHAKE_DONE:
        try:
            wanted[0].check(connection)
        except UntrustedCredential:
            wanted[1].failVerification(Failure())
