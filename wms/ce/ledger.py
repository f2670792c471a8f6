"""What a backend has to remember of its jobs: one small private file a token, shared by all processes of the service.

For CEs that know their jobs by names of their own. Not here: what is remembered.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from wms.files import write_private

__all__ = ["Ledger"]

E = TypeVar("E", bound=msgspec.Struct)


class Ledger(Generic[E]):
    """Entries of one type, by token. An entry is replaced whole; who reads it sees the old one or the new one.

    Entries that were read are kept in memory; one that another process replaced is read anew, as its file changed.
    """

    def __init__(self, directory: Path, kind: type[E]) -> None:
        self._directory = directory
        self._kind = kind
        self._read: dict[str, tuple[int, E]] = {}

    def prepare(self) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def get(self, token: str) -> E | None:
        """None for an unknown token."""
        try:
            stamp = os.stat(self._directory / token).st_mtime_ns
            known = self._read.get(token)
            if known is None or known[0] != stamp:
                known = stamp, msgspec.json.decode((self._directory / token).read_bytes(), type=self._kind)
                self._read[token] = known
            return known[1]
        except FileNotFoundError:
            self._read.pop(token, None)
            return None

    def find(self, tokens: Collection[str]) -> dict[str, E]:
        """The entries of those that are known."""
        return {token: entry for token in tokens if (entry := self.get(token)) is not None}

    def put(self, token: str, entry: E) -> None:
        """On disk when it returns. `token` is made of letters, digits, '_' and '-'."""
        write_private(self._directory / token, msgspec.json.encode(entry))
        self._read.pop(token, None)

    def remove(self, tokens: Collection[str]) -> None:
        for token in tokens:
            self._read.pop(token, None)
            (self._directory / token).unlink(missing_ok=True)

    def tokens(self) -> Iterator[str]:
        """All, in no order."""
        with os.scandir(self._directory) as entries:
            yield from [entry.name for entry in entries if "." not in entry.name]
