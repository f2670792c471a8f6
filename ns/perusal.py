"""Perusal: files of a running job that its user looks at while they grow.

The wrapper asks which files, is told how much is here of each, and sends what is new. Of each file the last bytes
are kept, in slices named by their places.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from urllib.parse import quote

import sqlalchemy as sa

from ns import files, store
from ns.growth import Slice, end, runs, spot, surplus
from ns.running import attempt_of, check_live, place
from wms.authz.relations import require
from wms.errors import NotAllowedNow, NotFound, OutputRetrieved, Refused
from wms.httpd import Call, Page
from wms.jdl.described import described
from wms.operations import Empty
from wms.operations.perusal import Perusal, PerusalFiles, Seen
from wms.operations.sessions import Position
from wms.sandbox import check_name, has_wildcard, repeated
from wms.service import Kit

PORTION = 1 << 20
MAX_NAME = 120
"""Of a name in bytes: it is the name of a directory here, in hexadecimal."""
OCTETS = "application/octet-stream"


class Perusals:
    """The operations."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._shelf = Shelf(kit.settings.state_dir, kit.settings.ns.max_perusal_bytes)

    # -- the user ----------------------------------------------------------------------------------------

    async def set(self, call: Call) -> Empty:
        return await self._kit.database.transact(self._set, call)

    def _set(self, conn: sa.Connection, call: Call) -> Empty:
        body, job = call.body, store.job(conn, call.params["unique"], change=True)
        assert isinstance(body, PerusalFiles)
        require(call, job)
        _check_enabled(job)
        if job.phase not in (store.REGISTERED, store.STARTED):
            raise NotAllowedNow(f"The job is over: {job.outcome}.", job=job.job)
        store.put_perused(conn, job.id, self._checked(body.files))
        return Empty()

    def _checked(self, names: tuple[str, ...]) -> tuple[str, ...]:
        limit = self._kit.settings.ns.max_perusal_files
        if len(names) > limit:
            raise Refused(f"The maximum number of perusal files is reached: {limit}.", limit=limit, value=len(names))
        for name in names:
            if has_wildcard(check_name(name)) or name != name.strip() or len(name.encode()) > MAX_NAME:
                raise Refused(f"{name} cannot be looked at.", value=name,
                              hint=f"Give the name of one file, at most {MAX_NAME} bytes long.")
        if twice := repeated(names):
            raise Refused(f"{twice[0]} is named more than once.", value=twice)
        return names

    async def look(self, call: Call) -> Perusal:
        """Which files, and what is here of them."""
        id = call.params["unique"]
        names, attempt = await self._kit.database.read(_known, call)
        found = await self._kit.thread(self._shelf.seen, id, attempt)
        return Perusal(names, attempt, tuple(found))

    async def piece(self, call: Call) -> Page:
        """Some of a file."""
        id, number, at = call.params["unique"], place(call.params["number"], "attempt"), place(call.params["offset"])
        await self._kit.database.read(_known, call)
        found = await self._kit.thread(self._shelf.read, id, number, call.params["name"], at)
        if found is None:
            raise NotFound(f"Nothing is kept of {call.params['name'][:200]} at {at}.")
        return Page(found, OCTETS)

    # -- the wrapper -------------------------------------------------------------------------------------

    async def wanted(self, call: Call) -> Page:
        """The files to look at, one a line."""
        id, attempt = attempt_of(call)
        names = await self._kit.database.read(_wanted, id, attempt)
        lines = await self._kit.thread(lambda: "".join(
            f"{self._shelf.have(id, attempt, name)} {quote(name, safe='')} {name}\n" for name in names))
        return Page(lines.encode(), "text/plain; charset=utf-8")

    async def add(self, call: Call) -> Position:
        """New bytes of a file."""
        id, attempt = attempt_of(call)
        name, at = check_name(call.params["name"]), place(call.params["offset"])
        if name not in await self._kit.database.read(_wanted, id, attempt):
            raise NotFound(f"Nobody looks at {name}.")
        return Position(await self._kit.thread(self._shelf.add, id, attempt, name, at, call.content.read()))


class Shelf:
    """What is kept of files below `root`, at most `limit` bytes of each. Every method may block."""

    def __init__(self, root: str, limit: int) -> None:
        self._root, self._limit = root, limit
        self._largest = max(1, limit // 8)
        self._lock = Lock()

    def have(self, id: str, attempt: int, name: str) -> int:
        """Where the wrapper goes on."""
        return end(_slices(self._place(id, attempt, name)))

    def add(self, id: str, attempt: int, name: str, at: int, content: bytes) -> int:
        """Keep what is new of `content`, which belongs at `at`; where the wrapper goes on."""
        shelf = self._place(id, attempt, name)
        with self._lock:
            shelf.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = spot(_slices(shelf), self._largest, at, len(content))
            if found is not None:
                with open(shelf / str(found.start), "ab", opener=_private) as file:
                    file.write(content[found.skip:])
            slices = _slices(shelf)
            for one in slices[:surplus(slices, self._limit)]:
                (shelf / str(one.start)).unlink()
            return end(slices)

    def seen(self, id: str, attempt: int) -> Iterator[Seen]:
        """What is kept of each file of an attempt, by name."""
        found = sorted(self._directory(id, attempt).glob("*")) if attempt else []
        return iter([Seen(bytes.fromhex(one.name).decode(), tuple(runs(_slices(one)))) for one in found])

    def read(self, id: str, attempt: int, name: str, at: int) -> bytes | None:
        """Up to PORTION bytes from `at`, all of one slice; None where nothing is."""
        shelf = self._place(id, attempt, name)
        for one in _slices(shelf):
            if one.start <= at < one.end:
                with open(shelf / str(one.start), "rb") as file:
                    file.seek(at - one.start)
                    return file.read(PORTION)
        return None

    def _directory(self, id: str, attempt: int) -> Path:
        return files.directory(self._root, id) / f"perusal.{attempt}"

    def _place(self, id: str, attempt: int, name: str) -> Path:
        return self._directory(id, attempt) / name.encode().hex()


def _slices(shelf: Path) -> list[Slice]:
    try:
        with os.scandir(shelf) as entries:
            return sorted(Slice(int(entry.name), entry.stat().st_size) for entry in entries)
    except FileNotFoundError:
        return []


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _check_enabled(job: store.Job) -> None:
    """Raises NotAllowedNow unless the files of this job can be looked at."""
    if job.kind != "job":
        raise NotAllowedNow("Perusal service not available for dag or collection type.", job=job.job,
                            hint="Name one of its nodes.")
    if not described(job.jdl).perusal:
        raise NotAllowedNow("Perusal not enabled for this job.", job=job.job,
                            hint="Its description must say PerusalFileEnable = true.")


def _known(conn: sa.Connection, call: Call) -> tuple[tuple[str, ...], int]:
    """The files that are looked at and the latest attempt of the caller's job."""
    job = store.job(conn, call.params["unique"])
    require(call, job)
    _check_enabled(job)
    if job.phase == store.CLEARED:
        raise OutputRetrieved("The files of this job are gone.", job=job.job)
    return store.perused(conn, job.id), store.latest_attempt(conn, job.id)


def _wanted(conn: sa.Connection, id: str, attempt: int) -> tuple[str, ...]:
    """The files to look at; the attempt must be running."""
    check_live(conn, id, attempt)
    return store.perused(conn, id)
