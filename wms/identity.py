"""Who somebody is on the grid: the distinguished name as text, and the facts a verified credential gives.

Not here: reading certificates (`wms.x509`) and tokens (`wms.tokens`), deciding what an identity may do (`wms.authz`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

# The names OpenSSL prints in its one-line form, which grid map files and MyProxy use too.
SHORT_NAMES = {
    "0.9.2342.19200300.100.1.1": "UID",
    "0.9.2342.19200300.100.1.25": "DC",
    "1.2.840.113549.1.9.1": "emailAddress",
    "2.5.4.3": "CN",
    "2.5.4.4": "SN",
    "2.5.4.5": "serialNumber",
    "2.5.4.6": "C",
    "2.5.4.7": "L",
    "2.5.4.8": "ST",
    "2.5.4.9": "street",
    "2.5.4.10": "O",
    "2.5.4.11": "OU",
    "2.5.4.12": "title",
    "2.5.4.17": "postalCode",
    "2.5.4.42": "GN",
    "2.5.4.97": "organizationIdentifier",
}
# Spellings met in the wild for the same attribute type, in lower case.
SPELLINGS = {"e": "emailaddress", "email": "emailaddress", "userid": "uid", "s": "st"}

_ATTRIBUTE = re.compile(r"/(?=(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)=)")
_ESCAPE = re.compile(r"\\x[0-9A-F]{2}")


CERTIFICATE, TOKEN = "certificate", "token"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A caller as the verified credential tells it.

    `dn` is the name under which records are kept: the subject of the certificate, `sub:ISSUER#SUBJECT` of a token,
    or the owner that the policy says both belong to; then `shown` keeps the name that was shown. `not_after` is the
    end of the whole credential (epoch seconds); `chain_length` counts the certificates from the leaf to the end
    entity, so 1 is a plain certificate and 2 a first-level proxy. `groups` are those of a token (wlcg.groups) or
    the groups of `fqans`; `scopes` those of a token.
    """

    dn: str = field(kw_only=False)
    ca_dn: str = ""
    fqans: tuple[str, ...] = ()
    limited: bool = False
    not_after: float
    chain_length: int = 1
    kind: str = CERTIFICATE
    issuer: str = ""
    subject: str = ""
    groups: tuple[str, ...] = ()
    scopes: frozenset[str] = frozenset()
    vo: str = ""
    shown: str = ""

    @property
    def credential_name(self) -> str:
        """What the credential itself says, for logs."""
        return self.shown or self.dn


def token_name(issuer: str, subject: str) -> str:
    """The name of the subject of a token among distinguished names (spec: lb, names of users)."""
    return f"sub:{issuer}#{subject}"


def dn_text(attributes: Iterable[tuple[str, str]]) -> str:
    """`/DC=org/CN=x` from (dotted OID, value) pairs in certificate order.

    Two names never share one text: ValueError when a value reads as a further attribute or as an escape.
    """
    return "".join(f"/{SHORT_NAMES.get(oid, oid)}={_escaped(value)}" for oid, value in attributes)


def _escaped(value: str) -> str:
    if _ATTRIBUTE.search(value) or _ESCAPE.search(value):
        raise ValueError(f"the name holds an ambiguous value: {value!r}")
    return "".join(chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02X}" for byte in value.encode())


def canonical_dn(text: str) -> str:
    """One spelling per name, for keys and comparisons: types in lower case and without synonyms."""
    head, *attributes = _ATTRIBUTE.split(text.strip())
    return head + "".join("/" + _canonical_attribute(attribute) for attribute in attributes)


def _canonical_attribute(text: str) -> str:
    name, _, value = text.partition("=")
    name = name.lower()
    return f"{SPELLINGS.get(name, name)}={value}"


def same_dn(a: str, b: str) -> bool:
    """Are these the same name, whatever the spelling of Email, emailAddress, UID and the like?"""
    return canonical_dn(a) == canonical_dn(b)
