"""Where VOMS servers are: vomses files, a server a line, as all VOMS clients read them.

Contents in, records out; asking a server is `wms.voms_asking`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

_LINE = re.compile(r'(?:\s*"([^"]*)")+\s*', re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|\[?[0-9A-Fa-f:.]+\]?")
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class VomsServer:
    """One server of a VO; `dn` is the subject of its certificate, `nick` what people call it."""

    nick: str
    host: str
    port: int
    dn: str
    vo: str


@dataclass(frozen=True, slots=True)
class Vomses:
    """All servers in the order of files and lines, and what could not be read, a sentence each."""

    servers: tuple[VomsServer, ...] = ()
    problems: tuple[str, ...] = ()

    def of(self, name: str) -> tuple[VomsServer, ...]:
        """The servers of that nick, or else of the VO of that name."""
        return (tuple(server for server in self.servers if server.nick == name)
                or tuple(server for server in self.servers if server.vo == name))


def read_vomses(files: Mapping[str, bytes]) -> Vomses:
    """The files by their path."""
    servers: list[VomsServer] = []
    problems: list[str] = []
    for path, content in sorted(files.items()):
        for number, line in _lines(content):
            try:
                servers.append(_server(line))
            except ValueError as error:
                problems.append(f"{path}:{number}: {error}")
    return Vomses(tuple(dict.fromkeys(servers)), tuple(problems))


def _lines(content: bytes) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines that say something."""
    for number, line in enumerate(content[:_LARGEST].decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line


def _server(line: str) -> VomsServer:
    words: Sequence[str] = _QUOTED.findall(line) if _LINE.fullmatch(line) else ()
    if len(words) not in (5, 6, 7):
        raise ValueError('not of the form "nick" "host" "port" "subject" "VO"')
    nick, host, port, dn, vo = words[:5]
    if not _HOST.fullmatch(host) or not dn.startswith("/") or not vo:
        raise ValueError("the host, the subject or the VO is not one")
    if not port.isdecimal() or not 0 < int(port[:6]) < 65536:
        raise ValueError(f"not a port: {port[:20]!r}")
    return VomsServer(nick, host.strip("[]"), int(port), dn, vo)
