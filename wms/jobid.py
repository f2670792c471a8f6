"""Job identifiers: `https://host:port/unique`, the working URL of a job at its bookkeeping server.

For parsing, making and deriving them; not for asking whether such a job exists.
"""

from __future__ import annotations

import hashlib
import re
from binascii import a2b_base64, b2a_base64
from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

from wms.errors import BadJobId

DEFAULT_PORT = 9000
DEFAULT_SEED = "edg_wll_GenerateSubjobIds()"
_FORM = re.compile(r"https://(\[[^\s/\]]+\]|[^\s/:\]\[?]+)(?::([0-9]{1,5}))?/([^\s?\0]+)(?:\?.*)?", re.DOTALL)
_PLACE = re.compile(r"(\[[^\s/\]]+\]|[^\s/:\]\[?]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True, slots=True, order=True)
class JobId:
    """One job. `host` is in lower case and keeps the brackets of an IPv6 literal."""

    host: str
    port: int
    unique: str

    def __str__(self) -> str:
        return f"https://{self.host}:{self.port}/{self.unique}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads the URL; an informative tail after `?` is dropped. Raises BadJobId."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadJobId(f"not a job identifier: {text[:200]!r}", hint="https://HOST[:PORT]/UNIQUE")
        host, port, unique = found.groups()
        return cls(host.lower(), _port(port), unique)

    @classmethod
    def make(cls, host: str, port: int, entropy: bytes) -> Self:
        """A new identifier from 16 random bytes."""
        if len(entropy) != 16:
            raise ValueError("a job identifier takes 16 bytes of entropy")
        return cls(host.lower(), port, _base64url(entropy))

    def subjob(self, seed: str | None, index: int) -> Self:
        """Identifier of child `index` (from 0): the same on every machine that knows parent and seed."""
        if index < 0:
            raise BadJobId("sub-jobs are numbered from 0", index=index)
        text = f"{self.unique},{DEFAULT_SEED if seed is None else seed},{index}"
        digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
        return type(self)(self.host, self.port, _base64url(digest))


    def indices(self, seed: str | None, number: int, wanted: Collection[str]) -> dict[str, int]:
        """Which of the `number` children have these unique parts: the inverse of `subjob`, by trying them all."""
        start = hashlib.md5(f"{self.unique},{DEFAULT_SEED if seed is None else seed},".encode(), usedforsecurity=False)
        digests = {digest: unique for unique in wanted if (digest := _digest(unique))}
        found: dict[str, int] = {}
        for index in range(number):
            if len(found) == len(digests):
                break
            tried = start.copy()
            tried.update(b"%d" % index)
            if unique := digests.get(tried.digest()):
                found[unique] = index
        return found


def parse_server(text: str) -> tuple[str, int]:
    """Host and port of a bookkeeping server given as `host` or `host:port`. Raises BadJobId."""
    found = _PLACE.fullmatch(text)
    if found is None:
        raise BadJobId(f"not a bookkeeping server: {text[:200]!r}", hint="HOST or HOST:PORT, without https://")
    return found[1].lower(), _port(found[2])


def _port(digits: str | None) -> int:
    port = DEFAULT_PORT if digits is None else int(digits)
    if not 0 < port < 65536:
        raise BadJobId(f"no such port: {port}")
    return port


def _digest(unique: str) -> bytes:
    """What `_base64url` made it of, empty if it did not."""
    try:
        digest = a2b_base64(unique.translate(_STANDARD) + "==")
    except ValueError:
        return b""
    return digest if _base64url(digest) == unique else b""


def _base64url(data: bytes) -> str:
    return b2a_base64(data, newline=False).rstrip(b"=").translate(_URL_SAFE).decode("ascii")


_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_STANDARD = str.maketrans("-_", "+/")
