"""The secret that signs capability tokens: one file of the service, made on first use, mode 0600."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from wms.errors import ConfigError

NAME = "capability.key"
SIZE = 32


def read_or_make(state_dir: str) -> bytes:
    """The secret of this installation; processes that start together agree on one. Raises ConfigError."""
    path = Path(state_dir) / NAME
    if not path.exists():
        _make(path)
    secret = path.read_bytes()
    if len(secret) < SIZE:
        raise ConfigError(f"{path} holds no secret of {SIZE} bytes.", hint="Remove it; a new one will be made.")
    if path.stat().st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others.", hint=f"Run: chmod 600 {path}")
    return secret


def _make(path: Path) -> None:
    """Written whole beside its place, then linked into it: the first one wins."""
    temporary = path.with_name(f".{NAME}.{secrets.token_hex(6)}")
    with open(temporary, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secrets.token_bytes(SIZE))
        os.fsync(file.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        temporary.unlink()
