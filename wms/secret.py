"""The secrets of an installation: what signs capability tokens (made on first use), what seals credentials at rest."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from wms.errors import ConfigError

NAME = "capability.key"
SIZE = 32
SEAL = "wms-seal.key"
"""A credential of this name that systemd gives to the service (systemd.exec: LoadCredentialEncrypted=)."""


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


def sealing_key(file: str, environment: Mapping[str, str]) -> bytes:
    """The content of the configured file, else of what the platform gives; empty: credentials are not sealed.

    Raises ConfigError for one that cannot be used.
    """
    given = Path(environment.get("CREDENTIALS_DIRECTORY", "")) / SEAL
    if not file and not ("CREDENTIALS_DIRECTORY" in environment and given.exists()):
        return b""
    path = Path(file or given)
    try:
        key, mode = path.read_bytes(), path.stat().st_mode
    except OSError as error:
        raise ConfigError(f"The key that seals credentials, {path}, cannot be read: {error.strerror}.") from None
    if len(key) < SIZE:
        raise ConfigError(f"{path} holds no secret of {SIZE} bytes.", hint=f"Make one: openssl rand -out {path} 32")
    if mode & 0o077 and file:
        raise ConfigError(f"{path} can be read by others.", hint=f"Run: chmod 600 {path}")
    return key


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
