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


@implementer(IOpenSSLClientConnectionCreator)
class ToHost:
    """Makes connections to one host, a name or an address; they end unless the server is that host.

    The files: host certificate and chain, its key, a hashed directory of CAs. BadCredential when they are no use.
    """

    def __init__(self, cert_file: str, key_file: str, ca_dir: str, host: str) -> None:
        self._host = host.strip("[]")
        self._is_address = _is_address(self._host)
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_2_VERSION)
        try:
            self._context.use_certificate_chain_file(cert_file)
            self._context.use_privatekey_file(key_file)
            self._context.check_privatekey()
            self._context.load_verify_locations(None, ca_dir)
        except SSL.Error as error:
            raise BadCredential(f"unusable certificate {cert_file}, key {key_file} or CA directory {ca_dir}") from error
        self._context.set_verify(SSL.VERIFY_PEER, lambda _connection, _cert, _error, _depth, ok: bool(ok))
        self._context.set_info_callback(self._progress)

    def clientConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        connection.set_app_data(tlsProtocol)  # as the protocol itself does later
        if not self._is_address:
            connection.set_tlsext_host_name(self._host.encode("idna"))
        return connection

    def _progress(self, connection: SSL.Connection, where: int, _result: int) -> None:
        """OpenSSL calls this and drops what is raised, so whatever goes wrong must end the connection."""
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            protocol: Any = connection.get_app_data()
            try:
                self._check(connection)
            except BaseException:  # noqa: BLE001 - it would be dropped, and the connection used
                protocol.failVerification(Failure())

    def _check(self, connection: SSL.Connection) -> None:
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
