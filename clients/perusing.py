"""Looking at the files of a running job: which files, and fetching what is new of them. No text for people.

What was fetched is seen from the names of the local files, so nothing is remembered elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clients.errors import FileUnwritable
from wms.jobid import JobId
from wms.operations import OPERATIONS
from wms.operations.perusal import Perusal, PerusalFiles

if TYPE_CHECKING:
    import http.client

    from clients.transport import Connection

_END = re.compile(r"-(\d+)-(\d+)")


@dataclass(frozen=True, slots=True)
class Fetched:
    """Bytes [start, end) of file `name`, now at `path`."""

    name: str
    start: int
    end: int
    path: str


def enable(ns: Connection, job: str, names: Sequence[str]) -> None:
    """Have these files looked at; none: no more."""
    ns.call(OPERATIONS["ns.perusal_set"], PerusalFiles(tuple(names)), unique=JobId.parse(job).unique)


def fetch(ns: Connection, job: str, parent: str, names: Sequence[str] = (), *, everything: bool = False
          ) -> tuple[str, list[Fetched]]:
    """The directory and what was fetched into it: of all files, or the named ones, what is not there yet."""
    unique = JobId.parse(job).unique
    found: Perusal = ns.call(OPERATIONS["ns.perusal"], unique=unique)
    again = f"_{found.attempt}" if found.attempt > 1 else ""
    directory = os.path.join(parent, f"{unique}_perusal{again}")
    fetched: list[Fetched] = []
    for seen in found.seen:
        if not names or seen.name in names:
            here = 0 if everything else known(seen.name, _listed(directory))
            fetched += [_fetch(ns, unique, found.attempt, seen.name, max(start, here), end, directory)
                        for start, end in seen.runs if end > here]
    return directory, fetched


def known(name: str, listed: Iterable[str]) -> int:
    """The end of what was fetched before, by the names of the files that are here."""
    ends = [_END.fullmatch(file[len(name):]) for file in listed if file.startswith(name)]
    return max((int(found[2]) for found in ends if found), default=0)


def _listed(directory: str) -> list[str]:
    return os.listdir(directory) if os.path.isdir(directory) else []


def _fetch(ns: Connection, unique: str, attempt: int, name: str, start: int, end: int, directory: str) -> Fetched:
    from clients.files import make_directory

    make_directory(directory)
    path, at = os.path.join(directory, f"{name}-{start}-{end}"), start
    temporary = os.path.join(directory, f".{name}.part")
    try:
        with open(temporary, "wb") as out:
            while at < end:
                content = _piece(ns, unique, attempt, name, at)[:end - at]
                out.write(content)
                at += len(content)
        os.replace(temporary, path)
    except OSError as error:
        raise FileUnwritable(f"The file {path} cannot be written: {error.strerror}", path=path) from None
    return Fetched(name, start, end, path)


def _piece(ns: Connection, unique: str, attempt: int, name: str, at: int) -> bytes:
    pieces: list[bytes] = []

    def keep(response: http.client.HTTPResponse) -> None:
        pieces[:] = [response.read()]

    ns.download(OPERATIONS["ns.perusal_piece"], keep, unique=unique, number=attempt, name=name, offset=at)
    return pieces[0]
