"""Files of a job on this machine: the local ones of an input sandbox, and output arriving in a directory.

Everything about the input is found out before anything is sent. Which file the service wants is its affair.
"""

from __future__ import annotations

import glob
import hashlib
import http.client
import os
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from clients.errors import FileUnwritable
from wms.errors import ChecksumMismatch, JdlInvalid, SandboxFileMissing, SandboxTooLarge
from wms.operations import File
from wms.sandbox import base_name, check_name, is_remote, repeated

BLOCK = 1 << 18
MAX_BYTES = 10_000_000  # of one file and of a sandbox, unless the service advertises otherwise
_LARGE = "Put large files on a storage element."
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})", re.ASCII)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file to upload as `name`; `size` in bytes."""

    name: str
    path: str
    size: int

    def record(self) -> File:
        """Its name, size and checksum; reads the file."""
        return File(self.name, self.size, checksum(self.path))


# -- input -----------------------------------------------------------------------------------------------


def expand(entries: Iterable[str], directory: str, environment: Mapping[str, str],
           base_uri: str = "") -> list[str]:
    """The entries with variables filled in and wildcards resolved; remote ones as they are."""
    found: list[str] = []
    for entry in entries:
        if _elsewhere(entry, base_uri):
            found.append(entry)
        else:
            found.extend(_expand_local(_filled_in(entry, environment), directory))
    return found


def _elsewhere(entry: str, base_uri: str) -> bool:
    """Does the file come from elsewhere, by its own address or that of InputSandboxBaseURI?"""
    relative = "://" not in entry and not entry.startswith(("/", "$"))
    return is_remote(entry) or (relative and is_remote(base_uri))


def _filled_in(entry: str, environment: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in environment:
            raise SandboxFileMissing(f"InputSandbox: {entry}: the environment has no variable {name}",
                                     file=entry)
        return environment[name]

    return _VARIABLE.sub(value, entry)


def _expand_local(entry: str, directory: str) -> list[str]:
    path = path_of(entry, directory)
    if not glob.has_magic(path) or os.path.exists(path):
        return [entry]
    names = sorted(name for name in glob.glob(path) if os.path.isfile(name))
    if not names:
        raise SandboxFileMissing(f"InputSandbox: no file matches {entry}", file=entry, directory=directory)
    return names


def path_of(entry: str, directory: str) -> str:
    """The absolute path of a local entry; relative ones are taken from `directory`."""
    path = re.sub(r"^file://(localhost(?=/))?", "", entry, flags=re.IGNORECASE)
    return os.path.abspath(os.path.join(directory, path))


def local_files(entries: Sequence[str], directory: str, base_uri: str = "") -> tuple[LocalFile, ...]:
    """The files to upload: SandboxFileMissing when one is not there, JdlInvalid when two share a name."""
    for name in repeated(base_name(entry) for entry in entries):
        raise JdlInvalid("InputSandbox: filename conflict found while extracting files. "
                         f"The following file is repeated more than once: '{name}'", file=name)
    return tuple(_local_file(check_name(base_name(entry)), entry, path_of(entry, directory))
                 for entry in entries if not _elsewhere(entry, base_uri))


def _local_file(name: str, entry: str, path: str) -> LocalFile:
    hint = "Relative names are taken from the directory of the JDL file."
    if not os.path.isfile(path):
        what = "is a directory" if os.path.isdir(path) else "does not exist"
        raise SandboxFileMissing(f"InputSandbox: the file {path} {what}", hint=hint, file=entry, path=path)
    if not os.access(path, os.R_OK):
        raise SandboxFileMissing(f"InputSandbox: the file {path} cannot be read", file=entry, path=path)
    return LocalFile(name, path, os.path.getsize(path))


def check_sizes(files: Sequence[LocalFile], max_file: int = MAX_BYTES, max_all: int = MAX_BYTES) -> None:
    """Raise SandboxTooLarge, naming the limit in bytes, when a file or all together are too large."""
    for file in files:
        if file.size > max_file:
            raise SandboxTooLarge(
                f"InputSandbox: {file.path} has {file.size} bytes; a file may have {max_file}.",
                hint=_LARGE, file=file.path, size=file.size, limit=max_file)
    total = sum(file.size for file in files)
    if total > max_all:
        raise SandboxTooLarge(f"The InputSandbox has {total} bytes; it may have {max_all}.",
                              hint=_LARGE, size=total, limit=max_all)


def checksum(path: str) -> str:
    """SHA-256 of a file, hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# -- output ----------------------------------------------------------------------------------------------


def make_directory(path: str) -> None:
    """Make a directory and its parents, for the user alone; one that exists is kept."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def make_shared(path: str) -> None:
    """Make a directory that everybody may add to and nobody may clear, like /tmp; one that exists is kept."""
    try:
        os.mkdir(path, mode=0o700)
        os.chmod(path, 0o1777)
    except FileExistsError:
        return
    except OSError as error:
        raise _unwritable(path, error) from None


def has_arrived(directory: str, file: File) -> bool:
    """Is this very file there already?"""
    path = os.path.join(directory, check_name(file.name))
    try:
        return os.path.isfile(path) and os.path.getsize(path) == file.size and checksum(path) == file.sha256
    except OSError:
        return False


def receive(response: http.client.HTTPResponse, directory: str, file: File) -> None:
    """Read a reply into `directory`: to a temporary name, size and checksum compared, then renamed."""
    target = os.path.join(directory, check_name(file.name))
    temporary = os.path.join(directory, f".arriving-{secrets.token_hex(8)}")
    try:
        with _open_new(temporary) as sink:
            _copy(response, sink, file)
        os.replace(temporary, target)
    except BaseException:
        _remove(temporary)
        raise


def _copy(response: http.client.HTTPResponse, sink: IO[bytes], file: File) -> None:
    size, digest = 0, hashlib.sha256()
    while block := response.read(BLOCK):
        size += len(block)
        digest.update(block)
        _write(sink, block)
    if size < file.size:
        raise http.client.IncompleteRead(b"", file.size - size)
    if size > file.size or digest.hexdigest() != file.sha256:
        raise ChecksumMismatch(f"{file.name} arrived with another content than it had.",
                               hint="Nothing was removed from the service: try again.", file=file.name)


def _write(sink: IO[bytes], block: bytes) -> None:
    try:
        sink.write(block)
        sink.flush()
    except OSError as error:
        raise _unwritable(sink.name, error) from None


def _open_new(path: str) -> IO[bytes]:
    try:
        return open(path, "xb")
    except OSError as error:
        raise _unwritable(os.path.dirname(path), error) from None


def _remove(path: str) -> None:
    if os.path.exists(path):
        os.unlink(path)


def _unwritable(path: str, error: OSError) -> FileUnwritable:
    return FileUnwritable(f"{path} cannot be written: {error.strerror}", path=path)
