"""VOMS attributes for a renewed proxy: of every VO of the old one, the same FQANs in the same order.

It blocks. The conversation is `wms.voms_asking`; without fresh attributes there is no renewal.
"""

from __future__ import annotations

import os
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wms.clienttls import client_context
from wms.config import Tls
from wms.errors import Refused, Unavailable, WmsError
from wms.voms import certificate, fqans
from wms.voms.certificate import AttributeCertificate
from wms.voms.vomsdir import read_vomsdir
from wms.voms.vomses import VomsServer, read_vomses
from wms.voms_asking import ask
from wms.x509 import proxy
from wms.x509.proxy import Proxy

LIFETIME_S = 43_200.0
"""What is asked for; a VO may give less."""


class VomsAttributes:
    """Asks the server that gave the old ones, if vomsdir names it for its VO, then those of vomses files."""

    def __init__(self, tls: Tls, clock: Callable[[], float]) -> None:
        self._tls = tls
        self._clock = clock

    def again(self, old: bytes, new: bytes, timeout_s: float) -> tuple[bytes, float]:
        """A proxy (PEM) with fresh attributes, issued by the proxy `new`, and when the first of them ends (epoch s).

        Raises Refused when a VO gives no longer what it gave, Unavailable when none of its servers answers.
        """
        renewed, end = proxy.load(new), time.monotonic() + timeout_s
        with presented(new, self._tls.ca_dir) as context:
            found = [self._of_one(one, context, end) for one in of_each_vo(proxy.load(old))]
        key, now = proxy.new_key(), self._clock()
        cert = proxy.new_proxy(renewed.chain, renewed.key, key.public_key(), now,
                               proxy.identify(renewed.chain, now).not_after - now,
                               serial=secrets.randbits(63) + 1, attributes=found)
        ends = min(certificate.read(blob).not_after for blob in found)
        return proxy.dump(cert, key, renewed.chain), ends

    def _of_one(self, old: AttributeCertificate, context: ssl.SSLContext, end: float) -> bytes:
        problems: list[str] = []
        for server in (servers := self._servers(old)):
            try:
                left = (end - time.monotonic()) / (len(servers) - len(problems))
                return same_as(old, ask(server, context, old.fqans, LIFETIME_S, max(left, 0.001)))
            except Unavailable as error:
                problems.append(error.message)
        if problems:
            raise Unavailable("; ".join(problems))
        raise Refused(f"no VOMS server of the VO {old.vo} is known here",
                      hint="vomsdir names those that gave attributes, tls.vomses others.")

    def _servers(self, old: AttributeCertificate) -> Sequence[VomsServer]:
        named = read_vomses(contents(self._tls.vomses)).of(old.vo)
        host, _, port = old.uri.rpartition(":")
        first = [server for server in named if (server.host, str(server.port)) == (host, port)]
        lsc = Path(self._tls.vomsdir, old.vo, f"{host}.lsc")
        if not first and port.isdecimal() and (dn := _subject(lsc, old.vo, host)):
            first = [VomsServer(old.vo, host, int(port), dn, old.vo)]
        return list(dict.fromkeys([*first, *named]))


def of_each_vo(old: Proxy) -> list[AttributeCertificate]:
    """The attributes that count: of each VO those nearest the leaf."""
    found: dict[str, AttributeCertificate] = {}
    for _, one in certificate.in_chain(old.chain):
        found.setdefault(one.vo, one)
    return list(found.values())


def same_as(old: AttributeCertificate, blob: bytes) -> bytes:
    """Fresh attributes that say what the old ones said, in that order and beginning with the same, perhaps more; else
    Refused."""
    new = certificate.read(blob)
    given, wanted = ([fqans.normal(name) for name in one.fqans] for one in (new, old))
    if given[:1] != wanted[:1] or [name for name in given if name in wanted] != wanted:
        raise Refused(f"the VO {old.vo} gives other attributes than before: {', '.join(given)}",
                      before=wanted, hint="Make and delegate a new proxy.")
    return blob


@contextmanager
def presented(pem: bytes, ca_dir: str) -> Iterator[ssl.SSLContext]:
    """A context that shows a credential; OpenSSL reads it from memory, it is on no disk."""
    file = os.memfd_create("credential")
    try:
        os.write(file, pem)
        yield client_context(f"/proc/self/fd/{file}", ca_dir)
    finally:
        os.close(file)


def contents(places: Sequence[str]) -> Mapping[str, bytes]:
    """The files by path; of a directory all but hidden ones. What cannot be read says nothing."""
    found: dict[str, bytes] = {}
    for place in map(Path, places):
        for path in sorted(place.iterdir()) if place.is_dir() else [place]:
            try:
                if not path.name.startswith("."):
                    found[str(path)] = path.read_bytes()
            except OSError:
                continue
    return found


def _subject(lsc: Path, vo: str, host: str) -> str:
    """The subject of the server that vomsdir names for the VO on this host, or nothing."""
    if "/" in vo + host:
        return ""
    try:
        named = read_vomsdir({f"{vo}/{lsc.name}": lsc.read_bytes()}).lsc_of(vo, host)
    except (OSError, WmsError):
        return ""
    return named.chains[0][0] if named is not None and named.chains and named.chains[0] else ""
