"""What lb-purge, lb-dump and lb-load ask and tell."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from typing import IO, Any

import msgspec

from clients.bookkeeping import Bookkeeping
from clients.errors import ArgumentWrong, BadInputFile, FileUnreadable, FileUnwritable, NoJobId
from clients.main import PARTIAL
from clients.querying import read
from wms.errors import BadJobId
from wms.jobid import JobId
from wms.operations import OPERATIONS
from wms.operations.upkeep import Dump, Dumped, Loaded, Purge, Purged

_AGE = re.compile(r"(-[12]|\d{1,9})([smhd]?)", re.ASCII)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
SEVERAL_S = 1800.0


def age(text: str) -> float:
    """`NNN[smhd]` in seconds; -1 is the server's own, -2 never. ArgumentWrong otherwise."""
    found = _AGE.fullmatch(text or "-1")
    if found is None or (found[1].startswith("-") and found[2]):
        raise ArgumentWrong(f"{text!r} is no age.", hint="A number with s, m, h or d; -1 or -2.")
    return float(int(found[1]) * _UNITS[found[2]])


def _span(text: str) -> float:
    if text.startswith("-"):
        raise ArgumentWrong(f"{text!r} is no length of time.", hint="A number with s, m, h or d.")
    return age(text)


def _identifiers(file: str) -> Iterator[str]:
    for number, line in enumerate(read(file).splitlines(), 1):
        try:
            if line.strip() and not line.startswith("#"):
                yield str(JobId.parse(line.strip()))
        except BadJobId as error:
            raise BadInputFile(f"In {file}, line {number}: {error.message}", path=file, line=number) from None


def purge_request(ages: Mapping[str, str], file: str, *, target: str, **flags: bool) -> Purge:
    """The request of a command line; `file` names the jobs, an identifier a line, and may have comments (#)."""
    jobs = tuple(_identifiers(file)) if file else ()
    if file and not jobs:
        raise NoJobId(f"There is no identifier of a job in {file}.", path=file)
    given: dict[str, Any] = {name: age(text) for name, text in ages.items()} | flags
    return Purge(jobs=jobs, target_s=_span(target or "0"), **given)


def purge(book: Bookkeeping, asked: Purge) -> Purged:
    """Forget jobs; what happened so far when the work goes on behind."""
    reply: Purged = book.server().call(OPERATIONS["lb.purge"], asked, wait_s=SEVERAL_S)
    return reply


def progress(book: Bookkeeping) -> Purged:
    """How far the last purge is."""
    reply: Purged = book.server().call(OPERATIONS["lb.purge_progress"])
    return reply


def purge_status(purged: Purged) -> int:
    """The exit status: 255 if only some of the jobs can be forgotten."""
    if purged.state == "failed" or (purged.problems and not purged.jobs):
        return 1
    return PARTIAL if purged.problems else 0


def purge_text(purged: Purged) -> str:
    lines = [*purged.names, f"Purge: {purged.state}", f"{purged.jobs} jobs, {purged.events} events"]
    if purged.kept:
        lines.append(f"{purged.kept} jobs got news meanwhile and stay")
    if purged.file:
        lines.append(f"events kept in: {purged.file}")
    return "\n".join(lines + [f"{job}: {problem.get('message', '')}" for job, problem in purged.problems.items()])


def dump(book: Bookkeeping, since: str, until: str) -> Dumped:
    """Have a dump written."""
    reply: Dumped = book.server().call(OPERATIONS["lb.dump"], Dump(since, until), wait_s=SEVERAL_S)
    return reply


def made(path: str) -> IO[bytes]:
    """A file that can be written; what it holds stays until something is."""
    try:
        return open(path, "ab")
    except OSError as error:
        raise _unwritable(path, error) from None


def fetch(book: Bookkeeping, name: str, file: IO[bytes]) -> None:
    """A file of the server's directory of dumps to a file here, which is on disk afterwards."""
    def keep(response: http.client.HTTPResponse) -> None:
        file.truncate(0)
        while block := response.read(1 << 18):
            _write(file, block)
        _write(file, b"")

    book.server().download(OPERATIONS["lb.dump_file"], keep, file=name)


def _write(file: IO[bytes], block: bytes) -> None:
    """At the end, an empty block brings all to disk."""
    try:
        file.write(block)
        if not block:
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise _unwritable(str(file.name), error) from None


def _unwritable(path: str, error: OSError) -> FileUnwritable:
    return FileUnwritable(f"The file {path} cannot be written: {error.strerror}", path=path)


def dump_text(dumped: Dumped, path: str) -> str:
    begin, end = (f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime(at))} UTC" for at in (dumped.begin, dumped.end))
    return "\n".join([f"Events from {begin} until {end}: {dumped.events}", f"in the server's file: {dumped.name}",
                      *([f"fetched to: {path}"] if path else [])])


def load(book: Bookkeeping, path: str, *, there: bool) -> Loaded:
    """Load a log, from here or from the server's directory of dumps."""
    if there:
        return _upload(book, io.BytesIO(), {"file": path})
    with _opened(path) as file:
        return _upload(book, file, {})


def _opened(path: str) -> IO[bytes]:
    """The file to send, which can be read twice; standard input is kept first."""
    try:
        if path != "-":
            return open(path, "rb")
        kept: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
        shutil.copyfileobj(sys.stdin.buffer, kept)
    except OSError as error:
        raise FileUnreadable(f"The file {path} cannot be read: {error.strerror}", path=path) from None
    return kept


def _upload(book: Bookkeeping, file: IO[bytes], query: Mapping[str, str]) -> Loaded:
    file.seek(0, 2)
    size = file.tell()
    file.seek(0)
    digest = _digest(file)
    reply: Loaded = book.server().upload(OPERATIONS["lb.load"], file, size, digest, query=query, wait_s=SEVERAL_S)
    return reply


def _digest(file: IO[bytes]) -> str:
    found = hashlib.sha256()
    while block := file.read(1 << 20):
        found.update(block)
    return found.hexdigest()


def load_text(loaded: Loaded) -> str:
    lines = [f"{loaded.events} events read: {loaded.stored} stored, {loaded.duplicates} were there, "
             f"{loaded.rejected} rejected"]
    lines += [f"line {problem.line}: {problem.reason}" for problem in loaded.problems]
    return "\n".join(lines + ([f"all that were rejected, in the server's file: {loaded.file}"] if loaded.file else []))


def plain(record: msgspec.Struct) -> dict[str, Any]:
    """A record for --json."""
    found: dict[str, Any] = msgspec.to_builtins(record)
    return found
