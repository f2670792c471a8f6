"""The places that are asked for resources: files, directories, CRIC. Blocking: each belongs into a thread.

A place gives the usable part of what it says, or raises. Not when it is asked nor what is kept (market).
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

from wm.supply import directory
from wm.supply.purchasers import Described, cric, files
from wm.supply.supermarket import Kind, Source
from wms.clienttls import client_context
from wms.config import Settings
from wms.errors import ConfigError, Unavailable

MAX_BYTES = 64 * 1024 * 1024
CHUNK = 1 << 16
Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """A source and how it is asked. `stamp` tells cheaply whether there is news; None: one must ask."""

    source: Source
    ask: Callable[[], Described]
    stamp: Callable[[], Stamp] | None = None


def site_files(settings: Settings, backends: Collection[str]) -> Iterator[Place]:
    """The site's own files; one in LDIF is what a directory says, written down."""
    for path in settings.information.files:
        kind = Kind.DIRECTORY if path.endswith(".ldif") else Kind.STATIC
        yield Place(Source(f"file {path}", kind), _file(path, backends), _stamp(path))


def far(settings: Settings) -> Iterator[Place]:
    """Directories, and CRIC by file or URL. What they say holds until they had time to be asked again."""
    information = settings.information
    life_s = max(information.ttl_s, information.bdii_s + information.bdii_timeout_s)
    for url in information.bdii:
        name = f"bdii {directory.schema(url)} {url}"
        yield Place(Source(name, Kind.DIRECTORY, life_s), _directory(url, information.bdii_timeout_s))
    for where in information.cric:
        name = f"cric {where}"
        if "://" in where:
            yield Place(Source(name, Kind.DIRECTORY, life_s), _catalogue(where, settings))
        else:
            yield Place(Source(name, Kind.DIRECTORY, inf), _dump(where), _stamp(where))


def _file(path: str, backends: Collection[str]) -> Callable[[], Described]:
    return lambda: files.parse(_read(path), backends, path)


def _directory(url: str, timeout_s: float) -> Callable[[], Described]:
    return lambda: files.directory(directory.ask(url, timeout_s), url)


def _dump(path: str) -> Callable[[], Described]:
    return lambda: cric.parse(_read(path), path)


def _catalogue(url: str, settings: Settings) -> Callable[[], Described]:
    return lambda: cric.parse(fetch(url, settings), url)


def _stamp(path: str) -> Callable[[], Stamp]:
    def stamp() -> Stamp:
        status = Path(path).stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    return stamp


def _read(path: str) -> str:
    with Path(path).open("rb") as file:
        return file.read(MAX_BYTES + 1).decode()


def fetch(url: str, settings: Settings) -> str:
    """The text behind an https URL, shown this host's certificate; raises Unavailable or ConfigError."""
    timeout_s, tls = settings.information.bdii_timeout_s, settings.tls
    host, port, path = _https(url)
    context = client_context(tls.certificate, tls.ca_dir, tls.key)
    connection = http.client.HTTPSConnection(host, port, timeout=timeout_s, context=context)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        return _body(connection.getresponse(), url, time.monotonic() + timeout_s).decode()
    except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
        raise Unavailable(f"{url} does not answer: {error}.", url=url) from None
    finally:
        connection.close()


def _https(url: str) -> tuple[str, int, str]:
    """(host, port, path with query)."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname if parts.scheme == "https" else None, parts.port or 443
    except ValueError:
        host, port = None, 0
    if not host:
        raise ConfigError(f"information.cric: {url!r} is not a file or https://host/path.", value=url)
    return host, port, (parts.path or "/") + ("?" + parts.query if parts.query else "")


def _body(response: http.client.HTTPResponse, url: str, deadline: float) -> bytes:
    if response.status != 200:
        raise Unavailable(f"{url} answers {response.status}.", url=url)
    parts = bytearray()
    while chunk := response.read1(CHUNK):
        parts += chunk
        if len(parts) > MAX_BYTES or time.monotonic() > deadline:
            raise Unavailable(f"{url} tells too much or too slowly.", url=url)
    return bytes(parts)
