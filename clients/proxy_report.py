"""What a proxy file says: names, kind, strength, end, and the VOMS attributes it carries. Pure.

Shown in the words of grid-proxy-info and voms-proxy-info, which scripts read. Nothing is verified.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from clients.tokens import hours
from wms.errors import BadAttributes, BadCredential, ProxyRuleBroken
from wms.voms import certificate as attribute_certificates
from wms.x509 import proxy
from wms.x509.legacy import GT2, any_proxy_info
from wms.x509.reading import from_der
from wms.x509.rfc3820 import INDEPENDENT, INHERIT_ALL, LIMITED, ProxyInfo, subject_dn

_KINDS = {INHERIT_ALL: "impersonation proxy", LIMITED: "limited proxy", INDEPENDENT: "independent proxy"}
_OLD_KINDS = {INHERIT_ALL: "full legacy globus proxy", LIMITED: "limited legacy globus proxy"}


@dataclass(frozen=True, slots=True)
class Vo:
    """One attribute certificate; `issuer` is empty when it does not bring its signer's certificate."""

    name: str
    holder: str
    issuer: str
    uri: str
    attributes: tuple[str, ...]
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Report:
    """`strength` in bits of `algorithm`; times in epoch seconds; `depth` counts proxies; `problem`: with VOMS."""

    subject: str
    issuer: str
    identity: str
    kind: str
    algorithm: str
    strength: int
    path: str
    start: float
    end: float
    depth: int
    path_length: int | None = None
    vos: tuple[Vo, ...] = ()
    problem: str = ""

    def left(self, now: float) -> float:
        """Seconds until it ends, not below 0."""
        return max(0.0, self.end - now)


def of_file(pem: bytes, path: str) -> Report:
    """Read a proxy file's content; BadCredential when it holds no certificate that can be read."""
    certs = proxy.certificates(pem)
    chain = proxy.in_order(certs[0], certs)
    infos = _proxies(chain)
    used = chain[: len(infos) + 1]
    algorithm, strength = _key_of(chain[0])
    vos, problem = _memberships(used)
    return Report(
        subject_dn(chain[0].subject), subject_dn(chain[0].issuer), _identity(chain, infos), _kind(infos),
        algorithm, strength, path, max(one.not_valid_before_utc.timestamp() for one in used),
        min(one.not_valid_after_utc.timestamp() for one in used), len(infos),
        infos[0].path_length if infos else None, vos, problem)


def _proxies(chain: Sequence[x509.Certificate]) -> list[ProxyInfo]:
    """The proxies at the head of the chain, however bad."""
    found: list[ProxyInfo] = []
    for cert in chain:
        try:
            info = any_proxy_info(cert)
        except ProxyRuleBroken:
            break
        if info is None:
            break
        found.append(info)
    return found


def _identity(chain: Sequence[x509.Certificate], infos: Sequence[ProxyInfo]) -> str:
    if len(infos) < len(chain):
        return subject_dn(chain[len(infos)].subject)
    return subject_dn(chain[-1].issuer)


def _kind(infos: Sequence[ProxyInfo]) -> str:
    if not infos:
        return "end entity credential"
    info = infos[0]
    if info.standard == GT2:
        return _OLD_KINDS.get(info.language, "legacy globus proxy")
    known = _KINDS.get(info.language, "restricted proxy")
    return f"RFC 3820 compliant {known}" if info.standard == "RFC 3820" else f"Proxy draft (pre-RFC) compliant {known}"


def _key_of(cert: x509.Certificate) -> tuple[str, int]:
    try:
        key = cert.public_key()
    except ValueError as error:
        raise BadCredential(f"the certificate's key cannot be read: {error}") from error
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    return ("EC", key.key_size) if isinstance(key, ec.EllipticCurvePublicKey) else ("other", 0)


def _memberships(chain: Sequence[x509.Certificate]) -> tuple[tuple[Vo, ...], str]:
    """The attributes of the proxy nearest to the leaf that has any, and what is wrong with those."""
    holder = subject_dn(chain[-1].subject)
    try:
        found = list(attribute_certificates.in_chain(chain))
    except BadAttributes as error:
        return (), error.message
    return tuple(_vo(one, holder) for place, one in found if place == found[0][0]), ""


def _vo(one: attribute_certificates.AttributeCertificate, holder: str) -> Vo:
    signer = from_der(one.signers[0]) if one.signers else None
    return Vo(one.vo, holder, subject_dn(signer.subject) if signer else "", one.uri, one.fqans, one.not_before,
              one.not_after)


# -- as text and as a document ----------------------------------------------------------------------------


def table(report: Report, now: float) -> str:
    """All of it for people."""
    rows = [("subject", report.subject), ("issuer", report.issuer), ("identity", report.identity),
            ("type", report.kind), ("strength", _strength(report)), ("path", report.path),
            ("timeleft", hours(report.left(now)))]
    if report.problem:
        rows.append(("VOMS", report.problem))
    lines = [f"{name:9} : {value}" for name, value in rows]
    for vo in report.vos:
        lines.append(f"=== VO {vo.name} extension information ===")
        lines += [f"{name:9} : {value}" for name, value in _rows(vo, now)]
    return "\n".join(lines)


def _rows(vo: Vo, now: float) -> list[tuple[str, str]]:
    return [("VO", vo.name), ("subject", vo.holder), ("issuer", vo.issuer),
            *(("attribute", one) for one in vo.attributes), ("timeleft", hours(vo.end - now)), ("uri", vo.uri)]


def _strength(report: Report) -> str:
    return f"{report.strength} bits" if report.algorithm == "RSA" else f"{report.strength} bits ({report.algorithm})"


def values(report: Report, now: float) -> Mapping[str, tuple[str, ...]]:
    """What scripts ask for, by option; lines as the grid's tools print them, times in seconds."""
    return {
        "subject": (report.subject,), "issuer": (report.issuer,), "identity": (report.identity,),
        "type": (report.kind,), "strength": (str(report.strength),), "path": (report.path,),
        "timeleft": (str(int(report.left(now))),), "vo": tuple(vo.name for vo in report.vos),
        "fqan": tuple(one for vo in report.vos for one in vo.attributes),
        "actimeleft": tuple(str(max(0, int(vo.end - now))) for vo in report.vos),
        "uri": tuple(vo.uri for vo in report.vos),
    }


def document(report: Report, now: float) -> dict[str, Any]:
    """The JSON document."""
    return {
        "result": "success", "subject": report.subject, "issuer": report.issuer, "identity": report.identity,
        "type": report.kind, "algorithm": report.algorithm, "strength": report.strength, "path": report.path,
        "start": report.start, "expiration": report.end, "timeleft": int(report.left(now)), "depth": report.depth,
        "path_length": report.path_length, "problem": report.problem,
        "vos": [{"vo": vo.name, "subject": vo.holder, "issuer": vo.issuer, "uri": vo.uri,
                 "attributes": list(vo.attributes), "start": vo.start, "expiration": vo.end,
                 "timeleft": max(0, int(vo.end - now))} for vo in report.vos]}
