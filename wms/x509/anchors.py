"""What a CA directory in the hashed layout says: authorities, revocation lists, signing policies.

Contents in, one record out. Reading the directory and noticing its changes is `wms.trust_files`, judging a chain by it
`wms.x509.judgement`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wms.errors import BadCredential
from wms.identity import canonical_dn
from wms.x509.authority import subject_hash, subject_hash_old
from wms.x509.crl import Crl, genuine, read_crl
from wms.x509.rfc3820 import subject_dn
from wms.x509.signing_policy import SigningPolicy, read_signing_policy

NAME = re.compile(r"([0-9a-fA-F]{8})\.(?:(\d{1,3})|(r\d{1,3})|signing_policy)")
_PEM = b"-----BEGIN CERTIFICATE-----"


class BadAuthority(ValueError):
    """Not a certificate of an authority."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file of the directory that says nothing."""

    reason: str


@dataclass(frozen=True, slots=True)
class Authority:
    certificate: x509.Certificate


Parsed = Authority | Crl | tuple[SigningPolicy, ...] | Unreadable


@dataclass(frozen=True, slots=True)
class Anchors:
    """`lists`: genuine lists by the authority that stands here; `crls`: all by encoded name; `policies`: the entries of
    each file that speaks of a name (canonical). `crl_hashes` and `policy_hashes` are hashes of names for which there
    is a file, readable or not.
    """

    authorities: tuple[x509.Certificate, ...] = ()
    lists: Mapping[x509.Certificate, tuple[Crl, ...]] = field(default_factory=dict)
    crls: Mapping[bytes, tuple[Crl, ...]] = field(default_factory=dict)
    policies: Mapping[str, tuple[tuple[SigningPolicy, ...], ...]] = field(default_factory=dict)
    crl_hashes: frozenset[str] = frozenset()
    policy_hashes: frozenset[str] = frozenset()

    def lists_of(self, issuer: x509.Certificate) -> tuple[Crl, ...] | None:
        """The issuer's genuine lists; empty when his files are none, None without a file."""
        if issuer in self.lists:
            found = self.lists[issuer]
        else:
            found = genuine(self.crls.get(issuer.subject.public_bytes(), ()), issuer)
        return found if found or _has(self.crl_hashes, issuer.subject) else None

    def policies_of(self, ca: str, issuer: x509.Certificate) -> tuple[tuple[SigningPolicy, ...], ...] | None:
        """The entries about the issuer, `ca` as text, file by file; empty when his file says nothing of him, None
        without a file.
        """
        found = self.policies.get(canonical_dn(ca), ())
        return found if found or _has(self.policy_hashes, issuer.subject) else None


def _has(hashes: frozenset[str], name: x509.Name) -> bool:
    return bool(hashes) and not hashes.isdisjoint(hashed(name) for hashed in (subject_hash, subject_hash_old))


def read(name: str, content: bytes) -> Parsed:
    """What the file of that name, of the form NAME, says."""
    try:
        if name.endswith(".signing_policy"):
            return read_signing_policy(content)
        return read_crl(content) if ".r" in name else Authority(read_authority(content))
    except ValueError as error:
        return Unreadable(str(error))


def read_authority(content: bytes) -> x509.Certificate:
    """A certificate in PEM or DER, with a name and key that can be read. Raises BadAuthority."""
    load = x509.load_pem_x509_certificate if _PEM in content else x509.load_der_x509_certificate
    try:
        found = load(content)
        found.public_key()
        subject_dn(found.subject)
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion, BadCredential) as error:
        raise BadAuthority(str(error)) from error
    return found


def collect(files: Mapping[str, Parsed]) -> Anchors:
    """All files together; those under both hashes of a name count once."""
    said = list(files.values())
    authorities = tuple(dict.fromkeys(one.certificate for one in said if isinstance(one, Authority)))
    crls = _crls(one for one in said if isinstance(one, Crl))
    lists = {one: genuine(crls.get(one.subject.public_bytes(), ()), one) for one in authorities}
    return Anchors(authorities, lists, crls, _policies(one for one in said if isinstance(one, tuple)),
                   _hashes(files, "r"), _hashes(files, "s"))


def _crls(found: Iterable[Crl]) -> dict[bytes, tuple[Crl, ...]]:
    by_name = defaultdict[bytes, list[Crl]](list)
    for crl in {one.signed.signature: one for one in found}.values():
        by_name[crl.issuer].append(crl)
    return {name: tuple(crls) for name, crls in by_name.items()}


def _policies(found: Iterable[tuple[SigningPolicy, ...]]) -> dict[str, tuple[tuple[SigningPolicy, ...], ...]]:
    by_name = defaultdict[str, list[tuple[SigningPolicy, ...]]](list)
    for entries in dict.fromkeys(found):
        for ca in dict.fromkeys(entry.ca for entry in entries):
            by_name[ca].append(tuple(entry for entry in entries if entry.ca == ca))
    return {ca: tuple(files) for ca, files in by_name.items()}


def _hashes(names: Iterable[str], kind: str) -> frozenset[str]:
    """Of `0a1b2c3d.r0` the first part, when `r` is asked for."""
    parts = (name.partition(".") for name in names)
    return frozenset(stem.lower() for stem, _, ending in parts if ending.startswith(kind))
