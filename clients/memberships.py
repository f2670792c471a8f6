"""Attributes for a new proxy: which VOMS servers there are for the VOs that the user names, and asking them.

The conversation itself is `wms.voms_asking`; making the proxy is `clients.proxies`.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from clients import proxies
from clients.credential import CA_DIR
from clients.errors import ArgumentWrong
from wms.clienttls import client_context
from wms.errors import BadAttributes, ConfigError, TimedOut, Unavailable, UntrustedCredential
from wms.voms import certificate, fqans
from wms.voms.vomses import Vomses, VomsServer, read_vomses
from wms.voms_asking import ask
from wms.x509 import proxy
from wms.x509.proxy import Proxy

ASKING_S = 600.0
WAIT_S = 30.0
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """A VO by its nick in vomses files or its name, and the FQANs wanted of it; none: its own group."""

    vo: str
    fqans: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """An attribute certificate (DER), and what was wanted and is not in it."""

    attributes: bytes
    server: str
    fqans: tuple[str, ...]
    missing: tuple[str, ...]


def read(words: Sequence[str]) -> list[Asked]:
    """`VO` or `VO:/group[/Role=role]`, a VO as often as there are FQANs wanted of it; ArgumentWrong."""
    found: dict[str, Asked] = {}
    for word in words:
        vo, _, fqan = word.partition(":")
        if not vo or (":" in word and not fqan):
            raise ArgumentWrong(f"no VO is named by {word!r}", hint="VO or VO:/VO/group/Role=role.")
        before = found.get(vo, Asked(vo))
        found[vo] = replace(before, fqans=(*before.fqans, _checked(fqan))) if fqan else before
    return list(found.values())


def _checked(fqan: str) -> str:
    try:
        return fqans.normal(fqan)
    except BadAttributes:
        raise ArgumentWrong(f"not a group or role: {fqan!r}", hint="/VO/group/Role=role") from None


def places(environment: Mapping[str, str], given: str = "") -> list[str]:
    """Files and directories of vomses lines: the one given, or the usual ones, the user's before the site's."""
    if given:
        return [given]
    home = environment.get("HOME") or os.path.expanduser("~")
    named = [environment[name] for name in ("X509_VOMSES", "VOMS_USERCONF") if environment.get(name)]
    return [*named, f"{home}/.glite/vomses", f"{home}/.voms/vomses", "/etc/vomses", "/etc/grid-security/vomses"]


def servers(environment: Mapping[str, str], given: str = "") -> Vomses:
    """All servers of the files that are there; ConfigError when the one that was given is not."""
    found: dict[str, bytes] = {}
    for place in places(environment, given):
        for path in _files(place):
            try:
                with open(path, "rb") as file:
                    found[path] = file.read(LARGEST)
            except OSError as error:
                if given:
                    raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    return read_vomses(found)


def _files(place: str) -> list[str]:
    if not os.path.isdir(place):
        return [place]
    return [f"{place}/{name}" for name in sorted(os.listdir(place)) if not name.startswith(".")]


def get(user: Proxy, asked: Sequence[Asked], known: Vomses, environment: Mapping[str, str], lifetime_s: float,
        now: float) -> list[Given]:
    """An attribute certificate for each VO, of the first of its servers that answers.

    Raises ConfigError for a VO that no vomses file names, AttributesRefused with the server's words, Unavailable.
    """
    by_vo = [(one, _servers_of(one, known)) for one in asked]
    with tempfile.NamedTemporaryFile(prefix="wms-", dir=environment.get("XDG_RUNTIME_DIR") or None) as file:
        made = proxies.make(user, proxies.Wish(min(ASKING_S, lifetime_s)), now)
        file.write(proxy.dump(made.chain[0], made.key, made.chain[1:]))
        file.flush()
        context = client_context(file.name, environment.get("X509_CERT_DIR") or CA_DIR)
    return [_given(one, *_first(found, context, one, lifetime_s)) for one, found in by_vo]


def _servers_of(asked: Asked, known: Vomses) -> tuple[VomsServer, ...]:
    found = known.of(asked.vo)
    if not found:
        said = "\n".join(("", *known.problems)) if known.problems else ""
        raise ConfigError(f"No vomses file names a VOMS server of {asked.vo}.{said}",
                          hint="Name a file or directory that does: --vomses PATH.")
    return found


def _first(found: Sequence[VomsServer], context: ssl.SSLContext, asked: Asked,
           lifetime_s: float) -> tuple[VomsServer, bytes]:
    *others, last = found
    for server in others:
        try:
            return server, ask(server, context, asked.fqans, lifetime_s, WAIT_S)
        except (Unavailable, TimedOut, UntrustedCredential):
            continue
    return last, ask(last, context, asked.fqans, lifetime_s, WAIT_S)


def _given(asked: Asked, server: VomsServer, attributes: bytes) -> Given:
    granted = certificate.read(attributes).fqans
    have = {fqans.normal(one) for one in granted}
    return Given(attributes, f"{server.host}:{server.port}", granted,
                 tuple(one for one in asked.fqans if one not in have))
