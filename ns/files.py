"""Sandbox files on disk: where they are, how they arrive, how they go.

A user's file name never becomes a path: a file is stored under the digest of its name.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from typing import IO

from wms.errors import ChecksumMismatch, SandboxTooLarge
from wms.operations import File

_CHUNK = 1 << 20


def directory(root: str, id: str) -> Path:
    """The sandbox of a job, two levels deep so that no directory grows without bound."""
    return Path(root) / "sandbox" / id[:2] / id


def place(root: str, id: str, kind: str, attempt: int, name: str) -> Path:
    """The file that holds one sandbox file."""
    return directory(root, id) / f"{kind}.{attempt}" / hashlib.sha256(name.encode()).hexdigest()[:40]


def store(content: IO[bytes], target: Path, name: str, *, limit: int, expected: str = "") -> File:
    """Copy an upload to `target` (temporary name, fsync, rename) and return what arrived.

    Raises SandboxTooLarge above `limit` bytes, ChecksumMismatch when `expected` (hex sha256) is another; then nothing
    has been written.
    """
    file = _look(content, name, limit)
    if expected and file.sha256 != expected:
        raise ChecksumMismatch(f"{name} arrived with another checksum.", value=file.sha256,
                               expected=expected, hint="Send it again.")
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    try:
        _copy(content, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return file


def _look(content: IO[bytes], name: str, limit: int) -> File:
    digest, size = hashlib.sha256(), 0
    content.seek(0)
    while chunk := content.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise SandboxTooLarge(f"{name} has more than {limit} bytes.", limit=limit)
        digest.update(chunk)
    return File(name, size, digest.hexdigest())


def _copy(content: IO[bytes], target: Path) -> None:
    content.seek(0)
    with open(target, "xb", opener=_private) as out:
        shutil.copyfileobj(content, out, _CHUNK)
        out.flush()
        os.fsync(out.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove(root: str, id: str) -> None:
    """The whole sandbox of a job."""
    shutil.rmtree(directory(root, id), ignore_errors=True)


def digest_header(value: str) -> str:
    """The hex checksum of a `Digest: sha-256=<hex>` header, empty when there is none."""
    algorithm, _, text = value.partition("=")
    return text.strip().lower() if algorithm.strip().lower() == "sha-256" else ""
