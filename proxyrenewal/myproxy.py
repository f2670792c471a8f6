"""The MyProxy protocol, version 2, as far as renewal goes: bytes in, bytes out.

Not here: connecting, TLS and time-outs (`renewer`). Storing and passwords are left to MyProxy's clients.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Generator

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from wms import der
from wms.errors import BadCredential, Refused, Unavailable
from wms.x509.proxy import Proxy

NO_DELEGATION = b"0"  # GSI: the handshake is not followed by a delegation
LONGEST_MESSAGE = 1 << 18
_GET = 0
_OK, _AUTHORISE = "0", "2"
_DER = serialization.Encoding.DER

# What a server may offer as proof of possession, best first: name, number, digest to sign with.
METHODS: tuple[tuple[str, int, hashes.HashAlgorithm], ...] = (
    ("X509_certificate_SHA256", 4, hashes.SHA256()),
    ("X509_certificate", 2, hashes.SHA1()),  # what old servers offer
)

Fields = dict[str, list[str]]
Talk = Generator[bytes, bytes, Fields]


def renewal(owner: str, old: Proxy, request: bytes, lifetime_s: float,
            credential_name: str = "") -> Generator[bytes, bytes, list[bytes]]:
    """The client's side of one renewal: yields what to send, is sent what arrives, in pieces of any size.

    `NO_DELEGATION` goes out before it, in a TLS record of its own. It yields nothing (`b""`) to ask for
    more. `owner` is the DN under which the credential is stored,
    `old` a valid proxy of it, `request` a signing request (DER). Returns the new chain, leaf first, each
    DER. Refused repeats the server's words; Unavailable: what it says makes no sense.
    """
    buffer = bytearray()
    answer = yield from _ask(buffer, get_request(owner, lifetime_s, credential_name))
    if answer["RESPONSE"] == [_AUTHORISE]:
        answer = yield from _ask(buffer, proof(old, answer.get("AUTHORIZATION_DATA", [])))
    _require_ok(answer)
    certs = yield from _delegated(buffer, request)
    _require_ok((yield from _answer(buffer)))
    return certs


def get_request(owner: str, lifetime_s: float, credential_name: str = "") -> bytes:
    """The GET command; the empty pass phrase makes the server ask for a proof of possession."""
    if not (owner + credential_name).isprintable():
        raise Refused("a name holds a character that the MyProxy protocol cannot carry")
    lines = ["VERSION=MYPROXYv2", f"COMMAND={_GET}", f"USERNAME={owner}", "PASSPHRASE=",
             f"LIFETIME={lifetime_s:.0f}"]
    if credential_name:
        lines.append(f"CRED_NAME={credential_name}")
    return "\n".join(lines).encode() + b"\n\0"


def proof(old: Proxy, offers: list[str]) -> bytes:
    """Proof that we hold a proxy of the owner: its signature over the server's challenge, and its chain."""
    if not isinstance(old.key, rsa.RSAPrivateKey):
        raise BadCredential("MyProxy renews RSA proxies only")
    challenges = {name: text for name, _, text in (offer.partition(":") for offer in offers)}
    for name, number, digest in METHODS:
        if name in challenges:
            signature = old.key.sign(challenges[name].encode(), padding.PKCS1v15(), digest)
            chain = b"".join(cert.public_bytes(_DER) for cert in old.chain)
            return (bytes([number, 0, 0, 0]) + len(signature).to_bytes(4, "big") + signature
                    + bytes([len(old.chain)]) + chain)
    raise Refused(f"the MyProxy server asks for a proof that is not known here: {', '.join(challenges)}")


def is_named(cert: x509.Certificate, host: str) -> bool:
    """May this certificate speak for a MyProxy server on `host`?

    By an alternative name, or as grid services do by the common name `host`, `host/HOST` or `myproxy/HOST`.
    """
    wanted = host.lower().rstrip(".")
    common = {str(a.value).lower() for a in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)}
    return bool(common & {wanted, f"host/{wanted}", f"myproxy/{wanted}"}) or wanted in _alternatives(cert)


def _alternatives(cert: x509.Certificate) -> set[str]:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses: list[ipaddress.IPv4Address | ipaddress.IPv6Address] = [
        a for a in names.get_values_for_type(x509.IPAddress)
        if isinstance(a, ipaddress.IPv4Address | ipaddress.IPv6Address)]
    return {n.lower() for n in names.get_values_for_type(x509.DNSName)} | {str(a) for a in addresses}


# -- messages --------------------------------------------------------------------------------------------


def _ask(buffer: bytearray, message: bytes) -> Talk:
    buffer += yield message
    return (yield from _answer(buffer))


def _answer(buffer: bytearray) -> Talk:
    """The next text message. Lone NULs are skipped: servers send one after a TLS 1.3 handshake."""
    while (end := buffer.find(b"\0")) <= 0:
        if end == 0:
            del buffer[0]
            continue
        yield from _more(buffer)
    text = bytes(buffer[:end])
    del buffer[: end + 1]
    return _fields(text)


def _more(buffer: bytearray) -> Generator[bytes, bytes, None]:
    if len(buffer) > LONGEST_MESSAGE:
        raise Unavailable("the MyProxy server's answer has no end")
    buffer += yield b""


def _fields(text: bytes) -> Fields:
    fields: dict[str, list[str]] = {}
    for line in text.decode("utf-8", "replace").split("\n"):
        key, equals, value = line.partition("=")
        if equals:
            fields.setdefault(key, []).append(value)
    if fields.get("VERSION") != ["MYPROXYv2"] or "RESPONSE" not in fields:
        raise Unavailable("what answers there is no MyProxy server")
    return fields


def _require_ok(answer: Fields) -> None:
    if answer["RESPONSE"] != [_OK]:
        said = "; ".join(answer.get("ERROR", [])) or "no reason was given"
        raise Refused(f"the MyProxy server refused: {said}")


def _delegated(buffer: bytearray, request: bytes) -> Generator[bytes, bytes, list[bytes]]:
    """Send the signing request; the answer is a count (one byte) and that many certificates, or an error."""
    buffer += yield request
    while True:
        if buffer.startswith(b"VERSION="):
            _require_ok((yield from _answer(buffer)))
            raise Unavailable("the MyProxy server sent no certificate")
        found = _take_certificates(buffer)
        if found:
            return found
        yield from _more(buffer)


def _take_certificates(buffer: bytearray) -> list[bytes]:
    """Remove a whole message of certificates from the buffer; empty when it is not complete."""
    rest, found = bytes(buffer[1:]), []
    try:
        for _ in range(buffer[0] if buffer else 0):
            after = der.take(rest)[2]
            found.append(rest[: len(rest) - len(after)])
            rest = after
    except ValueError:
        return []
    del buffer[: len(buffer) - len(rest)]
    return found
