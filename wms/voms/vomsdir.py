"""A vomsdir: which servers may speak for which VO, from LSC files and certificates.

Contents in, one record out; reading the directory and noticing its changes is done elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from wms.errors import BadCredential
from wms.identity import same_dn
from wms.x509.reading import from_pem
from wms.x509.rfc3820 import subject_dn

_NEXT_CHAIN = "------ NEXT CHAIN ------"
_LARGEST = 1 << 20
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Lsc:
    """What one LSC file says of a host: names of certificates, that of the server first, in one chain or several.

    A chain is either pairs of subject and issuer, or the server's subject and then one issuer after another.
    """

    host: str
    chains: tuple[tuple[str, ...], ...]

    def describes(self, path: Sequence[x509.Certificate]) -> bool:
        """Does one chain name this path (the signer first, its authority perhaps left out)?"""
        return any(_describes(chain, path) for chain in self.chains)


@dataclass(frozen=True, slots=True)
class Vomsdir:
    """`lsc` and `certificates` by VO; those of the VO "" stand at the top and speak for every VO.

    `problems` are files that say nothing, one sentence each.
    """

    lsc: Mapping[str, tuple[Lsc, ...]] = field(default_factory=dict)
    certificates: Mapping[str, tuple[x509.Certificate, ...]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    def knows(self, vo: str) -> bool:
        return vo in self.lsc or vo in self.certificates or "" in self.certificates

    def lsc_of(self, vo: str, host: str) -> Lsc | None:
        """What the VO's file for this host says; letters of host names do not count."""
        return next((lsc for lsc in self.lsc.get(vo, ()) if lsc.host == host.lower()), None)

    def certificates_of(self, vo: str) -> tuple[x509.Certificate, ...]:
        """Those that may have signed for the VO."""
        return self.certificates.get(vo, ()) + self.certificates.get("", ())


def _describes(chain: Sequence[str], path: Sequence[x509.Certificate]) -> bool:
    names = [(subject_dn(cert.subject), subject_dn(cert.issuer)) for cert in path]
    pairs = [name for pair in names for name in pair]
    issuers = [names[0][0], *(issuer for _, issuer in names)]
    return _begins(pairs, chain) or _begins(issuers, chain)


def _begins(names: Sequence[str], chain: Sequence[str]) -> bool:
    """Are the names of the chain the first ones? All that the file demands must be there."""
    return len(chain) <= len(names) and all(map(same_dn, chain, names))


def read_vomsdir(files: Mapping[str, bytes]) -> Vomsdir:
    """The files by their path below the directory (`VO/HOST.lsc`, `VO/NAME.pem`, `NAME.pem`); others are passed by."""
    lsc: dict[str, list[Lsc]] = {}
    certificates: dict[str, list[x509.Certificate]] = {}
    problems = []
    for path, content in sorted(files.items()):
        vo, _, name = path.rpartition("/")
        stem, _, kind = name.rpartition(".")
        try:
            if kind == "lsc" and vo and "/" not in vo:
                lsc.setdefault(vo, []).append(read_lsc(stem, content))
            elif kind == "pem" and "/" not in vo:
                certificates.setdefault(vo, []).extend(_certificates(content))
        except (ValueError, BadCredential) as error:
            problems.append(f"{path}: {error}")
    return Vomsdir(_frozen(lsc), _frozen(certificates), tuple(problems))


def _frozen(lists: Mapping[str, Iterable[_T]]) -> dict[str, tuple[_T, ...]]:
    return {vo: tuple(found) for vo, found in lists.items()}


def read_lsc(host: str, content: bytes) -> Lsc:
    """An LSC file, a name a line; ValueError when it names no whole chain."""
    if len(content) > _LARGEST:
        raise ValueError(f"more than {_LARGEST} bytes")
    chains: list[list[str]] = [[]]
    for line in map(str.strip, content.decode("utf-8").splitlines()):
        if line == _NEXT_CHAIN:
            chains.append([])
        elif line and not line.startswith("#"):
            if not line.startswith("/"):
                raise ValueError(f"not a distinguished name: {line[:80]!r}")
            chains[-1].append(line)
    found = tuple(tuple(chain) for chain in chains if chain)
    if not found or min(map(len, found)) < 2:
        raise ValueError("a chain has at least two names: the server's and its authority's")
    return Lsc(host.lower(), found)


def _certificates(content: bytes) -> tuple[x509.Certificate, ...]:
    found = from_pem(content[:_LARGEST])
    try:
        for cert in found:
            cert.public_key()
            subject_dn(cert.subject)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    return found
