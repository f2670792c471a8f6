"""The rules of RFC 3820: which certificates of a chain are proxies, and whether each may stand there.

Not here: signatures and trust (`wms.x509.proxy` link by link, OpenSSL for the path to a CA), files, keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from wms import der
from wms.errors import BadCredential, LegacyProxy, ProxyRuleBroken
from wms.identity import dn_text

PROXY_CERT_INFO = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.14")
DRAFT_CERT_INFO = x509.ObjectIdentifier("1.3.6.1.4.1.3536.1.222")
ATTRIBUTE_CERTIFICATES = x509.ObjectIdentifier("1.3.6.1.4.1.8005.100.100.5")
INHERIT_ALL = der.oid("1.3.6.1.5.5.7.21.1")
INDEPENDENT = der.oid("1.3.6.1.5.5.7.21.2")
LIMITED = der.oid("1.3.6.1.4.1.3536.1.1.1.9")
LEGACY_NAMES = frozenset({"proxy", "limited proxy"})
NOT_IN_A_PROXY = {
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME: "an alternative subject name",
    ExtensionOID.ISSUER_ALTERNATIVE_NAME: "an alternative issuer name",
}
RFC_HINT = "Make an RFC 3820 proxy: voms-proxy-init -rfc, or grid-proxy-init -rfc."


@dataclass(frozen=True, slots=True)
class ProxyInfo:
    """The ProxyCertInfo extension: how many proxies may follow (None: any), and what it conveys.

    `standard` is what the proxy was made by; a chain keeps to one.
    """

    path_length: int | None
    language: bytes
    policy: bytes | None = None
    standard: str = "RFC 3820"

    @property
    def limited(self) -> bool:
        return self.language == LIMITED

    def encode(self) -> bytes:
        """The extension's DER; `policy` is not written, no language we issue has one."""
        length = b"" if self.path_length is None else der.integer(self.path_length)
        return der.element(der.SEQUENCE, length + der.element(der.SEQUENCE, self.language))


def decode_info(blob: bytes) -> ProxyInfo:
    """Read the extension's DER; ValueError when it is none."""
    tag, body, rest = der.take(blob)
    first, content, after = der.take(body)
    length = None
    if first == der.INTEGER:
        length = int.from_bytes(content, "big", signed=True)
        first, content, after = der.take(after)
    if (tag, first, rest, after) != (der.SEQUENCE, der.SEQUENCE, b"", b"") or (length or 0) < 0:
        raise ValueError("not a ProxyCertInfo")
    kind, _, policy = der.take(content)
    if kind != der.OID:
        raise ValueError("not a policy language")
    language = content[: len(content) - len(policy)]
    return ProxyInfo(length, language, _octets(policy) if policy else None)


def _octets(blob: bytes) -> bytes:
    tag, content, rest = der.take(blob)
    if tag != der.OCTET_STRING or rest:
        raise ValueError("not a policy")
    return content


def subject_dn(name: x509.Name) -> str:
    """The grid text form of a name; BadCredential when it has none."""
    try:
        return dn_text((a.oid.dotted_string, a.value if isinstance(a.value, str) else a.value.hex())
                       for a in name)
    except ValueError as error:
        raise BadCredential(str(error)) from error


def extension(cert: x509.Certificate,
              oid: x509.ObjectIdentifier) -> x509.Extension[x509.ExtensionType] | None:
    """The extension, or None; BadCredential when the certificate's extensions cannot be read."""
    try:
        return cert.extensions.get_extension_for_oid(oid)
    except x509.ExtensionNotFound:
        return None
    except (ValueError, x509.DuplicateExtension) as error:
        raise BadCredential(f"a certificate has unreadable extensions: {error}") from error


def raw_extension(cert: x509.Certificate, oid: x509.ObjectIdentifier) -> tuple[bool, bytes] | None:
    """(critical, DER value) of an extension that `cryptography` does not interpret, or None."""
    found = extension(cert, oid)
    if found is None or not isinstance(found.value, x509.UnrecognizedExtension):
        return None
    return found.critical, found.value.value


def proxy_info(cert: x509.Certificate) -> ProxyInfo | None:
    """The certificate's ProxyCertInfo, None when it is not a proxy.

    LegacyProxy for those from before RFC 3820, ProxyRuleBroken for an extension that is not critical or unreadable.
    """
    found = raw_extension(cert, PROXY_CERT_INFO)
    if found is None:
        _refuse_old_proxies(cert)
        return None
    critical, blob = found
    if not critical:
        raise ProxyRuleBroken("the proxy's ProxyCertInfo extension is not critical (RFC 3820, 3.8)")
    try:
        return decode_info(blob)
    except ValueError as error:
        raise ProxyRuleBroken(f"the proxy's ProxyCertInfo extension is unreadable: {error}") from error


def _refuse_old_proxies(cert: x509.Certificate) -> None:
    if raw_extension(cert, DRAFT_CERT_INFO) is not None:
        raise LegacyProxy("this is a proxy of the draft before RFC 3820 (GT3), which is not accepted",
                          hint=RFC_HINT)
    added = added_name(cert.subject, cert.issuer)
    if added in LEGACY_NAMES:
        raise LegacyProxy(f"this is a legacy proxy (CN={added}, GT2), which is not accepted", hint=RFC_HINT)


def added_name(subject: x509.Name, issuer: x509.Name) -> str | bytes | None:
    """The common name by which the subject extends the issuer, None when it does not, so."""
    if not subject.rdns or subject.rdns[:-1] != issuer.rdns:
        return None
    last = list(subject.rdns[-1])
    return last[0].value if len(last) == 1 and last[0].oid == NameOID.COMMON_NAME else None


def proxies_of(chain: Sequence[x509.Certificate],
               read: Callable[[x509.Certificate], ProxyInfo | None] = proxy_info) -> list[ProxyInfo]:
    """The proxies at the head of a leaf-first chain, so `chain[len(result)]` is the end entity.

    `read` tells a proxy from an end entity, `wms.x509.legacy.any_proxy_info` where old proxies are accepted. Every
    rule of RFC 3820 that needs no signature has been checked; ProxyRuleBroken names the broken one.
    """
    infos = []
    for cert in chain:
        info = read(cert)
        if info is None:
            break
        infos.append(info)
    if len(infos) == len(chain):
        raise ProxyRuleBroken("the chain ends before the certificate of the person or service")
    if _is_authority(chain[len(infos)]):
        raise ProxyRuleBroken("a certificate authority's certificate is not an identity")
    if len({info.standard for info in infos}) > 1:
        raise ProxyRuleBroken("the chain mixes proxies of different standards")
    for depth, info in enumerate(infos):
        _check_proxy(chain[depth], chain[depth + 1], info, depth)
    return infos


def _check_proxy(cert: x509.Certificate, issuer: x509.Certificate, info: ProxyInfo, below: int) -> None:
    """One proxy, with `below` further proxies issued from it."""
    if cert.issuer != issuer.subject:
        raise ProxyRuleBroken("the certificates of the chain do not follow one another")
    if added_name(cert.subject, cert.issuer) is None:
        raise ProxyRuleBroken("the proxy's subject is not its issuer's plus one common name (RFC 3820, 3.4)")
    for oid, what in NOT_IN_A_PROXY.items():
        if extension(cert, oid) is not None:
            raise ProxyRuleBroken(f"the proxy has {what} (RFC 3820, 3.2 and 3.5)")
    if _is_authority(cert):
        raise ProxyRuleBroken("the proxy claims to be a certificate authority (RFC 3820, 3.7)")
    if info.path_length is not None and below > info.path_length:
        raise ProxyRuleBroken(f"{below} proxies were issued where {info.path_length} are allowed (path length)")
    _check_usage(issuer)
    _check_policy(info)


def _is_authority(cert: x509.Certificate) -> bool:
    found = extension(cert, ExtensionOID.BASIC_CONSTRAINTS)
    return found is not None and isinstance(found.value, x509.BasicConstraints) and found.value.ca


def _check_usage(issuer: x509.Certificate) -> None:
    found = extension(issuer, ExtensionOID.KEY_USAGE)
    if found is None or not isinstance(found.value, x509.KeyUsage) or found.value.digital_signature:
        return
    raise ProxyRuleBroken("the proxy's issuer may not sign: its key usage lacks digitalSignature")


def _check_policy(info: ProxyInfo) -> None:
    if info.language == INDEPENDENT:
        raise ProxyRuleBroken("an independent proxy carries none of its owner's rights")
    if info.language not in (INHERIT_ALL, LIMITED):
        raise ProxyRuleBroken("the proxy restricts its rights in a policy language that is not known here")
    if info.language == INHERIT_ALL and info.policy is not None:
        raise ProxyRuleBroken("the proxy inherits all rights and yet has a policy (RFC 3820, 3.8.2)")
