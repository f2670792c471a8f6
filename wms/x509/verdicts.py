"""What OpenSSL finds wrong with a chain, as the errors that callers are told: a table by its number.

Numbers are those of OpenSSL's x509_vfy.h. One that is not in the table refuses too.
"""

from __future__ import annotations

from typing import NamedTuple

from wms.errors import (
    BadCredential,
    CredentialExpired,
    CredentialNotYetValid,
    CredentialRevoked,
    ProxyRuleBroken,
    UntrustedCredential,
)

WEAK = "is too weak"


class Row(NamedTuple):
    error: type[BadCredential]
    says: str


_UNKNOWN_CA = Row(UntrustedCredential, "was issued by an authority that is not trusted here")
_SIGNATURE = Row(UntrustedCredential, "does not have the signature of its issuer")
_MALFORMED = Row(BadCredential, "is malformed")
_NO_AUTHORITY = Row(UntrustedCredential, "was used to issue others, and is not that of an authority")
_PURPOSE = Row(UntrustedCredential, "is not for clients: its extensions do not allow this use")
_NAMES = Row(UntrustedCredential, "has a name that its authority is not allowed to give")
_LENGTH = Row(ProxyRuleBroken, "was issued deeper than the path length of its issuer allows")

TABLE = {
    2: _UNKNOWN_CA,
    4: _SIGNATURE,
    6: _SIGNATURE,
    7: _SIGNATURE,
    9: Row(CredentialNotYetValid, "is not valid yet: is a clock wrong?"),
    10: Row(CredentialExpired, "has expired"),
    13: _MALFORMED,
    14: _MALFORMED,
    18: Row(UntrustedCredential, "is signed by itself and not trusted here"),
    19: Row(UntrustedCredential, "is that of an authority that is not trusted here"),
    20: _UNKNOWN_CA,
    21: _UNKNOWN_CA,
    22: Row(ProxyRuleBroken, "is too far from its authority: the chain is too long"),
    23: Row(CredentialRevoked, "has been revoked"),
    24: _SIGNATURE,
    25: _LENGTH,
    26: _PURPOSE,
    27: _UNKNOWN_CA,
    28: Row(UntrustedCredential, "is rejected by this service's list of trusted authorities"),
    29: _UNKNOWN_CA,
    30: _UNKNOWN_CA,
    31: _UNKNOWN_CA,
    32: _NO_AUTHORITY,
    34: Row(BadCredential, "has a critical extension that is not understood here"),
    37: _NO_AUTHORITY,
    38: _LENGTH,
    39: Row(ProxyRuleBroken, "was used to issue a proxy, and its key usage lacks digitalSignature"),
    40: Row(ProxyRuleBroken, "is a proxy where none may be"),
    41: _MALFORMED,
    42: _MALFORMED,
    47: _NAMES,
    48: _NAMES,
    49: _NAMES,
    51: _NAMES,
    52: _NAMES,
    53: _NAMES,
    55: Row(UntrustedCredential, "is in a circle of issuers"),
    66: Row(UntrustedCredential, f"has a key that {WEAK}"),
    67: Row(UntrustedCredential, f"is that of an authority with a key that {WEAK}"),
    68: Row(UntrustedCredential, f"has a signature that {WEAK}"),
    72: Row(ProxyRuleBroken, "is a proxy whose subject is not its issuer's plus one common name (RFC 3820, 3.4)"),
    76: _SIGNATURE,
    77: _SIGNATURE,
    78: _SIGNATURE,
    79: _NO_AUTHORITY,
    80: _MALFORMED,
    94: Row(BadCredential, "has a key on a curve that has no name"),
}

OF_OLD_PROXIES = frozenset({20, 21, 24, 25, 26, 32, 34, 37, 79})
"""What OpenSSL has against a proxy from before RFC 3820: it takes the end entity for an authority that is none."""


def verdict(number: int, depth: int, dn: str) -> BadCredential:
    """The error for OpenSSL's `number` about the certificate of `dn`, `depth` steps above the leaf."""
    row = TABLE.get(number) or Row(UntrustedCredential, f"is refused by OpenSSL (error {number})")
    return row.error(f"The certificate {dn} {row.says}.", dn=dn, depth=depth, openssl=number)
