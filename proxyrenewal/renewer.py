"""One renewal at a MyProxy server: connects, speaks `myproxy`, checks what comes back. Run it in a thread.

It blocks. When to renew is `schedule`; where the new credential goes is the service's business.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Generator
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from proxyrenewal import myproxy
from wms import tls
from wms.clienttls import client_context
from wms.errors import BadCredential, Refused, TimedOut, Unavailable, UntrustedCredential
from wms.identity import Identity
from wms.x509 import proxy
from wms.x509.reading import from_der

T = TypeVar("T")

_PEM, _DER = serialization.Encoding.PEM, serialization.Encoding.DER
_PIECE = 1 << 16


def renew(server: str, port: int, host_cert: str, host_key: str, ca_dir: str, old_proxy_pem: bytes,
          lifetime_s: float, timeout_s: float, *, credential_name: str = "",
          clock: Callable[[], float] = time.time) -> bytes:
    """A new proxy file for the owner of the old one, with a new key, living at most `lifetime_s`, longer than the old.

    It has none of the old one's VOMS attributes, which are bound to that. We authenticate with the host's certificate;
    the server must list it as a renewer. `timeout_s` bounds the whole conversation. Refused (BadCredential among it)
    when trying again is useless before something is changed; Unavailable and TimedOut when it is not.
    """
    old = proxy.load(old_proxy_pem)
    owner = proxy.identify(old.chain, clock())
    key, csr = proxy.request("rsa:2048")
    talk = myproxy.renewal(owner.dn, old, _der(csr), lifetime_s, credential_name)
    context = client_context(host_cert, ca_dir, host_key)
    context.check_hostname = False  # grid names: myproxy.is_named
    certs = _converse(server, port, context, talk, timeout_s)
    return _checked(key, certs, owner, ca_dir, clock())


def _der(csr: bytes) -> bytes:
    return x509.load_pem_x509_csr(csr).public_bytes(_DER)


def _checked(key: bytes, certs: list[bytes], owner: Identity, ca_dir: str, now: float) -> bytes:
    try:
        chain = [from_der(cert) for cert in certs]
    except BadCredential as error:
        raise Unavailable(f"the MyProxy server sent an unreadable certificate: {error.message}") from error
    identity = proxy.identify(chain, now)
    tls.verify_path(chain, ca_dir)
    if identity.limited and not owner.limited:
        raise Refused("the MyProxy server holds only a limited proxy, which may do less than the old one")
    if identity.not_after <= owner.not_after:
        raise Refused("the MyProxy server gives no proxy that lasts longer than the old one",
                      hint="The credential that it holds may be near its end.")
    pem = b"".join(cert.public_bytes(_PEM) for cert in chain)
    return proxy.accept(key, pem, owner.dn, now, chain[identity.chain_length - 1])[1]


def _converse(server: str, port: int, context: ssl.SSLContext, talk: Generator[bytes, bytes, T],
              timeout_s: float) -> T:
    """Connect and let the two talk; network errors become ours."""
    deadline = time.monotonic() + timeout_s
    try:
        with (socket.create_connection((server, port), timeout_s) as plain,
              context.wrap_socket(plain, server_hostname=server) as secure):
            _require_name(secure, server)
            secure.sendall(myproxy.NO_DELEGATION)
            return _exchange(secure, talk, deadline)
    except TimeoutError as error:
        raise TimedOut(f"the MyProxy server {server}:{port} did not answer in {timeout_s:.3g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise UntrustedCredential(f"the MyProxy server {server}:{port} is not trusted: "
                                  f"{error.verify_message}") from error
    except OSError as error:
        raise Unavailable(f"the MyProxy server {server}:{port} cannot be reached: {error}") from error


def _exchange(secure: ssl.SSLSocket, talk: Generator[bytes, bytes, T], deadline: float) -> T:
    message = next(talk)
    while True:
        secure.settimeout(max(deadline - time.monotonic(), 0.001))
        if message:
            secure.sendall(message)
        piece = secure.recv(_PIECE)
        if not piece:
            raise Unavailable("the MyProxy server closed the connection")
        try:
            message = talk.send(piece)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def _require_name(secure: ssl.SSLSocket, server: str) -> None:
    cert = from_der(secure.getpeercert(binary_form=True) or b"")
    if not myproxy.is_named(cert, server):
        raise UntrustedCredential(f"the certificate of the MyProxy server is not for {server}")
