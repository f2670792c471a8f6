"""Attribute certificates as VOMS makes them (RFC 5755, OGF GFD.182): read, not believed.

Whether one is genuine and for whom it counts is `wms.voms.attributes`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from wms import der
from wms.errors import BadAttributes
from wms.voms.fields import (
    BIT_STRING,
    BOOLEAN,
    DIRECTORY_NAME,
    GENERALIZED_TIME,
    Fields,
    NameKey,
    bits,
    dotted,
    listed,
    moment,
    name_key,
    number,
    of_kind,
    single,
    text,
)
from wms.x509 import embedding

FQANS = "1.3.6.1.4.1.8005.100.100.4"
SIGNERS = "1.3.6.1.4.1.8005.100.100.10"
GENERIC = "1.3.6.1.4.1.8005.100.100.11"
TARGETS = "2.5.29.55"
AUTHORITY_KEY, NO_REVOCATION = "2.5.29.35", "2.5.29.56"
KNOWN_EXTENSIONS = frozenset({SIGNERS, GENERIC, TARGETS, AUTHORITY_KEY, NO_REVOCATION})

_MOST_SIGNERS = 8
_URI, _DNS = 0x86, 0x82  # kinds of GeneralName
_ANY_DEPTH = 6  # of the wrappings around a target's name


@dataclass(frozen=True, slots=True)
class AttributeCertificate:
    """What one says. `signed` is the DER that `signature` is over, `algorithm` its dotted identifier.

    The holder is named by a certificate (`holder_names`: its issuer, or with old VOMS servers its subject; and
    `holder_serial`) or by its subject alone (`entity_names`). Times are epoch seconds. `targets` is None when it is
    for every host. `signers` are certificates (DER), that of the signer first; `critical` unknown extensions.
    """

    vo: str
    uri: str
    fqans: tuple[str, ...]
    serial: int
    not_before: float
    not_after: float
    issuer: NameKey
    holder_names: tuple[NameKey, ...]
    holder_serial: int | None
    entity_names: tuple[NameKey, ...]
    targets: tuple[str, ...] | None
    signers: tuple[bytes, ...]
    critical: tuple[str, ...]
    signed: bytes
    algorithm: str
    signature: bytes


def in_chain(chain: Sequence[x509.Certificate]) -> Iterator[tuple[int, AttributeCertificate]]:
    """(place in the chain, attribute certificate), from the leaf upwards; BadAttributes for an unreadable one."""
    for place, cert in enumerate(chain):
        for blob in embedding.embedded(cert):
            yield place, read(blob)


def read(blob: bytes) -> AttributeCertificate:
    """Read the DER of one attribute certificate; BadAttributes when it is none."""
    if len(blob) > embedding.LARGEST:
        raise BadAttributes(f"the VOMS attributes take {len(blob)} bytes, {embedding.LARGEST} are read at most")
    try:
        return _read(blob)
    except ValueError as error:
        raise BadAttributes(f"the VOMS attributes cannot be read: {error}") from error


def _read(blob: bytes) -> AttributeCertificate:
    outer = Fields(single(blob, der.SEQUENCE))
    signed = outer.whole(der.SEQUENCE)
    algorithm = outer.whole(der.SEQUENCE)
    signature = bits(outer.next(BIT_STRING))
    outer.end()
    info = Fields(single(signed, der.SEQUENCE))
    if number(info.next(der.INTEGER)) != 1:
        raise ValueError("not of version 2")
    names, serial, entities = _holder(info.next(der.SEQUENCE))
    issuer = _issuer(info.next(0xA0))
    if info.whole(der.SEQUENCE) != algorithm:
        raise ValueError("two algorithms of signature")
    number_ = number(info.next(der.INTEGER))
    begin, end = _validity(info.next(der.SEQUENCE))
    vo, uri, fqans = _membership(info.next(der.SEQUENCE))
    info.maybe(BIT_STRING)  # the issuer's unique identifier, which nobody uses
    extensions = _extensions(info.maybe(der.SEQUENCE) or b"")
    info.end()
    targets = extensions.get(TARGETS)
    return AttributeCertificate(
        vo, uri, fqans, number_, begin, end, issuer, names, serial, entities,
        targets=None if targets is None else tuple(_targets(targets[1], _ANY_DEPTH)),
        signers=_signers(extensions[SIGNERS][1]) if SIGNERS in extensions else (),
        critical=tuple(oid for oid, (critical, _) in extensions.items() if critical and oid not in KNOWN_EXTENSIONS),
        signed=signed, algorithm=dotted(Fields(single(algorithm, der.SEQUENCE)).next(der.OID)), signature=signature)


def _holder(content: bytes) -> tuple[tuple[NameKey, ...], int | None, tuple[NameKey, ...]]:
    fields = Fields(content)
    certificate = fields.maybe(0xA0)
    names: tuple[NameKey, ...] = ()
    serial = None
    if certificate is not None:
        parts = Fields(certificate)
        names = _directory_names(parts.next(der.SEQUENCE))
        serial = number(parts.next(der.INTEGER))
        parts.maybe(BIT_STRING)
        parts.end()
    entities = fields.maybe(0xA1)
    fields.end()
    return names, serial, _directory_names(entities) if entities is not None else ()


def _directory_names(content: bytes) -> tuple[NameKey, ...]:
    names = tuple(name_key(name) for tag, name in listed(content) if tag == DIRECTORY_NAME)
    if not names:
        raise ValueError("nobody is named")
    return names


def _issuer(content: bytes) -> NameKey:
    return _directory_names(Fields(content).next(der.SEQUENCE))[0]


def _validity(content: bytes) -> tuple[float, float]:
    fields = Fields(content)
    begin, end = moment(fields.next(GENERALIZED_TIME)), moment(fields.next(GENERALIZED_TIME))
    fields.end()
    return begin, end


def _membership(content: bytes) -> tuple[str, str, tuple[str, ...]]:
    """VO, the server's `host:port`, FQANs: from the one attribute of VOMS."""
    found: list[tuple[str, str, tuple[str, ...]]] = []
    for attribute in of_kind(content, der.SEQUENCE):
        fields = Fields(attribute)
        if dotted(fields.next(der.OID)) == FQANS:
            found.extend(_syntax(value) for value in of_kind(fields.next(der.SET), der.SEQUENCE))
    if len(found) != 1:
        raise ValueError(f"{len(found)} lists of memberships instead of one")
    return found[0]


def _syntax(content: bytes) -> tuple[str, str, tuple[str, ...]]:
    """IetfAttrSyntax: the authority as URI `VO://HOST:PORT`, and the values."""
    fields = Fields(content)
    authority = Fields(fields.next(0xA0)).next(_URI).decode("ascii")
    values = listed(fields.next(der.SEQUENCE))
    fields.end()
    vo, separator, uri = authority.partition("://")
    if not vo or not separator:
        raise ValueError("no VO is named")
    return vo, uri, tuple(_fqan(tag, value) for tag, value in values)


def _fqan(tag: int, content: bytes) -> str:
    return content.decode("utf-8") if tag == der.OCTET_STRING else text(tag, content)


def _extensions(content: bytes) -> dict[str, tuple[bool, bytes]]:
    """(critical, value) by dotted identifier."""
    found: dict[str, tuple[bool, bytes]] = {}
    for extension in of_kind(content, der.SEQUENCE):
        fields = Fields(extension)
        oid = dotted(fields.next(der.OID))
        critical = fields.maybe(BOOLEAN) not in (None, b"\0")
        if oid in found:
            raise ValueError(f"the extension {oid} comes twice")
        found[oid] = critical, fields.next(der.OCTET_STRING)
        fields.end()
    return found


def _targets(content: bytes, depth: int) -> Iterator[str]:
    """The names of hosts; implementations wrap them differently, so wherever a GeneralName of text stands."""
    for tag, element in listed(content):
        if tag in (_URI, _DNS):
            yield element.decode("ascii")
        elif tag & 0x20 and depth:
            yield from _targets(element, depth - 1)


def _signers(blob: bytes) -> tuple[bytes, ...]:
    """SEQUENCE OF SEQUENCE OF Certificate, as VOMS writes it."""
    inside = Fields(single(single(blob, der.SEQUENCE), der.SEQUENCE))
    found: list[bytes] = []
    while len(found) < _MOST_SIGNERS and not inside.empty:
        found.append(inside.whole(der.SEQUENCE))
    if not found or not inside.empty:
        raise ValueError("no certificate of a signer, or too many")
    return tuple(found)
