"""Proxies from before RFC 3820: those of Globus 2, known by their name, and those of the draft, by its extension.

Who accepts them reads chains by `any_proxy_info`; everybody else refuses them (`rfc3820.proxy_info`).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import ExtensionOID

from wms import der
from wms.errors import LegacyProxy, ProxyRuleBroken
from wms.x509.rfc3820 import (
    DRAFT_CERT_INFO,
    INHERIT_ALL,
    LIMITED,
    ProxyInfo,
    added_name,
    decode_info,
    proxy_info,
    raw_extension,
)

GT2, GT3 = "Globus 2", "the draft of RFC 3820"
_BY_NAME = {"proxy": ProxyInfo(None, INHERIT_ALL, standard=GT2),
            "limited proxy": ProxyInfo(None, LIMITED, standard=GT2)}
_PATH_LENGTH = 0xA1
_UNDERSTOOD = frozenset({DRAFT_CERT_INFO, ExtensionOID.KEY_USAGE, ExtensionOID.BASIC_CONSTRAINTS,
                         ExtensionOID.EXTENDED_KEY_USAGE})


def any_proxy_info(cert: x509.Certificate) -> ProxyInfo | None:
    """As `rfc3820.proxy_info`, and what a proxy from before the standard conveys."""
    try:
        return proxy_info(cert)
    except LegacyProxy:
        return _old_info(cert)


def legacy_proxies(chain: Sequence[x509.Certificate]) -> list[LegacyProxy]:
    """For each such proxy at the head of a leaf-first chain, why it is refused where it is."""
    return [why for cert in chain if (why := _refusal(cert)) is not None]


def _refusal(cert: x509.Certificate) -> LegacyProxy | None:
    try:
        proxy_info(cert)
    except LegacyProxy as error:
        return error
    return None


def _old_info(cert: x509.Certificate) -> ProxyInfo:
    unknown = [one.oid.dotted_string for one in cert.extensions if one.critical and one.oid not in _UNDERSTOOD]
    if unknown:
        raise ProxyRuleBroken(f"the proxy has a critical extension that is not understood: {unknown[0]}")
    found = raw_extension(cert, DRAFT_CERT_INFO)
    if found is None:
        return _BY_NAME[str(added_name(cert.subject, cert.issuer))]
    try:
        return _decode_draft(found[1])
    except ValueError as error:
        raise ProxyRuleBroken(f"the proxy's ProxyCertInfo extension of the draft is unreadable: {error}") from error


def _decode_draft(blob: bytes) -> ProxyInfo:
    """SEQUENCE { policy, [1] EXPLICIT path length OPTIONAL }: the parts of the standard, the other way round."""
    tag, body, rest = der.take(blob)
    if tag != der.SEQUENCE or rest:
        raise ValueError("not a ProxyCertInfo")
    parts = der.split(body)
    lengths = [der.take(part)[1] for part in parts[1:] if part[0] == _PATH_LENGTH]
    if len(parts) != 1 + len(lengths) or len(lengths) > 1 or b"" in lengths:
        raise ValueError("not a ProxyCertInfo")
    info = decode_info(der.element(der.SEQUENCE, b"".join([*lengths, parts[0]])))
    return ProxyInfo(info.path_length, info.language, info.policy, GT3)
