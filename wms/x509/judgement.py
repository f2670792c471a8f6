"""Whether a path that leads to a trusted authority speaks for somebody: rules of proxies, revocation, signing policies.

Pure. That the path has its signatures and leads there was checked before, by OpenSSL; VOMS attributes are `wms.voms`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from cryptography import x509

from wms.errors import ConfigError, CredentialExpired, RevocationUnknown, SigningPolicyViolated
from wms.identity import Identity
from wms.x509 import crl
from wms.x509.anchors import Anchors
from wms.x509.legacy import any_proxy_info
from wms.x509.proxy import identify
from wms.x509.rfc3820 import proxy_info, subject_dn
from wms.x509.signing_policy import permits

REQUIRED, CHECKED, IGNORED = MODES = ("required", "checked", "ignored")


@dataclass(frozen=True, slots=True)
class Rules:
    """What a site asks for: `crl` and `signing_policy` are of MODES; ConfigError names a value that is not."""

    crl: str = CHECKED
    signing_policy: str = CHECKED
    legacy_proxies: bool = False

    def __post_init__(self) -> None:
        for name, value in (("crl", self.crl), ("signing_policy", self.signing_policy)):
            if value not in MODES:
                raise ConfigError(f"tls.{name}: '{value}' is not one of {', '.join(MODES)}.", value=value)


@dataclass(frozen=True, slots=True)
class Judged:
    """Whose path it is, and until when (epoch s) that holds: a revocation list may become too old before the end."""

    identity: Identity
    until: float


def judge(path: Sequence[x509.Certificate], anchors: Anchors, rules: Rules, now: float) -> Judged:
    """The path from the leaf to the trusted authority, that one included.

    Raises ProxyRuleBroken, LegacyProxy, CredentialExpired, CredentialNotYetValid, CredentialRevoked,
    RevocationUnknown, SigningPolicyViolated.
    """
    identity = identify(path, now, any_proxy_info if rules.legacy_proxies else proxy_info)
    end = min(cert.not_valid_after_utc.timestamp() for cert in path)
    if now >= end:
        raise CredentialExpired("The certificate of the authority above the credential has expired.", not_after=end)
    until = check_issued(path[identity.chain_length - 1 :], anchors, rules, now)
    return Judged(replace(identity, not_after=end), min(end, until))


def check_issued(path: Sequence[x509.Certificate], anchors: Anchors, rules: Rules, now: float) -> float:
    """Whether authorities stand by each certificate of a path without proxies, the trusted authority last.

    Until when (epoch s) that holds. Raises CredentialRevoked, RevocationUnknown, SigningPolicyViolated.
    """
    issued = list(pairwise(path))
    if rules.signing_policy != IGNORED:
        for cert, issuer in issued:
            _require_permitted(cert, issuer, anchors, rules)
    if rules.crl == IGNORED:
        return math.inf
    return min((_not_revoked(cert, issuer, anchors, rules, now) for cert, issuer in issued), default=math.inf)


def _not_revoked(cert: x509.Certificate, issuer: x509.Certificate, anchors: Anchors, rules: Rules,
                 now: float) -> float:
    lists = anchors.lists_of(issuer)
    if lists is not None:
        return crl.check(cert, lists, now)
    if rules.crl == REQUIRED:
        ca = subject_dn(issuer.subject)
        raise RevocationUnknown(f"There is no revocation list of {ca}, and one is required here.", ca=ca)
    return math.inf


def _require_permitted(cert: x509.Certificate, issuer: x509.Certificate, anchors: Anchors, rules: Rules) -> None:
    ca, dn = subject_dn(cert.issuer), subject_dn(cert.subject)
    policies = anchors.policies_of(ca, issuer)
    if policies is None and rules.signing_policy == REQUIRED:
        raise SigningPolicyViolated(f"There is no signing policy of {ca}, and one is required here.", ca=ca)
    if policies is None:
        return
    if not policies or not all(any(permits(one, dn) for one in entries) for entries in policies):
        raise SigningPolicyViolated(f"The signing policy of {ca} does not let it sign {dn}.", ca=ca, dn=dn)
