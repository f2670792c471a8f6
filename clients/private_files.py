"""Files for nobody else: written whole or not at all, never through a link, and read only when they are the user's own.

What is in them is for `clients.tokens`, `clients.login` and `clients.proxies`.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import NamedTuple

from clients.errors import FileUnreadable, FileUnwritable

LARGEST = 1 << 20


class Content(NamedTuple):
    """What a file holds, its permission bits and its owner (user id)."""

    data: bytes
    mode: int
    owner: int


def replace(path: str, content: bytes) -> None:
    """Put `content` at `path`, mode 0600: a new file takes the place of whatever was there, a link included."""
    temporary = f"{path}.{secrets.token_hex(8)}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(temporary)
        raise FileUnwritable(f"The file {path} cannot be written: {error.strerror}", path=path) from None


def make_home(path: str) -> None:
    """The directory of a private file, mode 0700 if it is made now."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    except OSError as error:
        raise FileUnwritable(f"The directory of {path} cannot be made: {error.strerror}", path=path) from None


def read(path: str) -> Content:
    """A file as it is now; raises OSError, and FileUnreadable when it is too large to be a credential."""
    with open(path, "rb") as file:
        status = os.fstat(file.fileno())
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise FileUnreadable(f"{path} is too large to be a credential.", path=path)
    return Content(data, status.st_mode & 0o777, status.st_uid)


def remove(path: str) -> bool:
    """Overwrite and remove; False when there was none. A link is removed, what it leads to is left."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError:
        return _unlink(path)
    with open(descriptor, "wb") as file:
        file.write(b"\0" * os.fstat(descriptor).st_size)
        file.flush()
        os.fsync(descriptor)
    return _unlink(path)


def _unlink(path: str) -> bool:
    try:
        os.unlink(path)
    except OSError as error:
        raise FileUnwritable(f"The file {path} cannot be removed: {error.strerror}", path=path) from None
    return True
