"""Memberships of a VO that a chain proves: its attribute certificates verified against vomsdir.

Pure: the chain has been verified before, the time is an argument. Reading is `wms.voms.certificate`, who signed
`wms.voms.signer`; what a member may do is `wms.authz`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography import x509

from wms.errors import AttributesExpired, AttributesUntrusted, BadAttributes
from wms.voms import fqans
from wms.voms.certificate import AttributeCertificate, in_chain
from wms.voms.signer import Belief, Check, host_of, key_of, signer_of
from wms.voms.vomsdir import Vomsdir
from wms.x509.legacy import any_proxy_info
from wms.x509.rfc3820 import subject_dn


@dataclass(frozen=True, slots=True)
class Membership:
    """What one attribute certificate proves: normalised FQANs in its order (the first is the primary one).

    Times are epoch seconds; `issuer` is the subject of the server that signed, `uri` its `host:port`; `targets` are the
    hosts it is for, none when it is for all.
    """

    vo: str
    fqans: tuple[str, ...]
    not_before: float
    not_after: float
    issuer: str
    uri: str
    targets: tuple[str, ...] = ()


def memberships(chain: Sequence[x509.Certificate], now: float, vomsdir: Vomsdir, host: str, skew_s: float = 300, *,
                authorities: Sequence[x509.Certificate], check: Check = tuple) -> tuple[Membership, ...]:
    """All memberships of a verified leaf-first chain, those of the certificate nearest the leaf first.

    VOs that vomsdir does not know are passed by (`strangers`), and so is a VO's attribute certificate when a
    certificate nearer the leaf has one of that VO. Anything wrong with another raises BadAttributes,
    AttributesExpired or AttributesUntrusted. `host` is our name, for those that are meant for certain hosts.
    `authorities` are those of the CA directory; `check` gets the path from a server's certificate to one of them, that
    one included, and raises BadCredential for what else may be wrong (a revoked certificate, a signing policy).
    """
    belief = Belief(vomsdir, authorities, check, now, skew_s)
    return tuple(_membership(ac, chain, host, belief) for ac in _counting(chain, vomsdir))


def strangers(chain: Sequence[x509.Certificate], vomsdir: Vomsdir) -> tuple[str, ...]:
    """The VOs that the chain claims and vomsdir does not know."""
    return tuple(dict.fromkeys(ac.vo for _, ac in in_chain(chain) if not vomsdir.knows(ac.vo)))


def _counting(chain: Sequence[x509.Certificate], vomsdir: Vomsdir) -> Iterator[AttributeCertificate]:
    nearest: dict[str, int] = {}
    for place, ac in in_chain(chain):
        if vomsdir.knows(ac.vo) and nearest.setdefault(ac.vo, place) == place:
            yield ac


def _membership(ac: AttributeCertificate, chain: Sequence[x509.Certificate], host: str,
                belief: Belief) -> Membership:
    _require_time(ac, belief.now, belief.skew_s)
    _require_holder(ac, chain)
    _require_target(ac, host)
    if ac.critical:
        raise BadAttributes(f"the VOMS attributes have a critical extension that is not known: {ac.critical[0]}")
    signer = signer_of(ac, belief)
    return Membership(ac.vo, _names(ac), ac.not_before, ac.not_after, subject_dn(signer.subject), ac.uri,
                      ac.targets or ())


def _require_time(ac: AttributeCertificate, now: float, skew_s: float) -> None:
    if now >= ac.not_after:
        raise AttributesExpired(f"The VOMS attributes of {ac.vo} have expired.", vo=ac.vo, not_after=ac.not_after,
                                hint="Make a new proxy: wms proxy init, or voms-proxy-init --rfc.")
    if now + skew_s < ac.not_before:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} are not valid yet: is a clock wrong?", vo=ac.vo,
                            not_before=ac.not_before)


def _require_holder(ac: AttributeCertificate, chain: Sequence[x509.Certificate]) -> None:
    owner = next((cert for cert in chain if any_proxy_info(cert) is None), chain[-1])
    subject, issuer = key_of(owner.subject), key_of(owner.issuer)
    by_serial = ac.holder_serial == owner.serial_number and bool({subject, issuer} & set(ac.holder_names))
    by_name = subject in ac.entity_names
    named = [fits for fits, said in ((by_serial, ac.holder_names), (by_name, ac.entity_names)) if said]
    if not named or not all(named):
        raise AttributesUntrusted(f"the VOMS attributes of {ac.vo} were issued to somebody else", vo=ac.vo,
                                  dn=subject_dn(owner.subject))


def _require_target(ac: AttributeCertificate, host: str) -> None:
    if ac.targets is not None and host.lower() not in map(host_of, ac.targets):
        meant = ", ".join(ac.targets) or "no host"
        raise AttributesUntrusted(f"the VOMS attributes of {ac.vo} are meant for {meant}, this is {host}", vo=ac.vo)


def _names(ac: AttributeCertificate) -> tuple[str, ...]:
    found = tuple(fqans.parse(text) for text in ac.fqans)
    if not found:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} name no membership", vo=ac.vo)
    if foreign := [str(fqan) for fqan in found if fqan.vo != ac.vo]:
        raise BadAttributes(f"the VOMS attributes of {ac.vo} name a membership of another VO: {foreign[0]}", vo=ac.vo)
    return tuple(dict.fromkeys(map(str, found)))
