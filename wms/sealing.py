"""`wmsd credentials`: what lies at rest is sealed anew after a key was introduced, changed or taken away.

Sealing itself is `wms.vault`, the files are `wms.credentials`. To be run while the service is stopped.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import click

from wms import config
from wms.credentials import Credentials
from wms.errors import SealBroken
from wms.secret import sealing_key
from wms.vault import MARK, Vault


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many files were written anew, how many were right as they are, and those that no key opens."""

    written: int
    right: int
    broken: tuple[str, ...]


def reseal(credentials: Credentials, old: Vault) -> Resealed:
    """Seal everything with the key of `credentials`; `old` opens what it does not. Can be run again."""
    written, right, broken = 0, 0, list[str]()
    for credential, kind in credentials.every():
        try:
            content, fits = _opened(credentials.path(credential, kind).read_bytes(), credentials.vault, old)
        except SealBroken:
            broken.append(credential + kind)
            continue
        if not fits:
            credentials.write(credential, content, kind)
        written, right = written + (not fits), right + fits
    return Resealed(written, right, tuple(broken))


def _opened(stored: bytes, new: Vault, old: Vault) -> tuple[bytes, bool]:
    """The content, and whether it lies there as it should."""
    try:
        return new.open(stored), stored.startswith(MARK) == bool(new.key)
    except SealBroken:
        return old.open(stored), False


@click.group("credentials")
def credentials() -> None:
    """Look after the credentials that users delegated."""


@credentials.command()
@click.option("--old-key", default="", metavar="FILE", help="The key that sealed them so far, if there was one.")
@click.pass_context
def seal(context: click.Context, old_key: str) -> None:
    """Seal all credentials with the key of the configuration (seal_key), while the service is stopped.

    Without a key in the configuration they are stored unsealed again.
    """
    settings = config.load(context.obj, os.environ)
    here = Credentials(Path(settings.state_dir) / "credentials", Vault(sealing_key(settings.seal_key, os.environ)))
    old = Vault(sealing_key(old_key, {}) if old_key else b"")
    here.require_private()
    done = reseal(here, old)
    how = "sealed" if here.vault.key else "stored unsealed"
    click.echo(f"{done.written} credentials {how}, {done.right} were already.")
    if done.broken:
        raise SealBroken(f"{len(done.broken)} cannot be opened with any key: {', '.join(done.broken[:10])}",
                         hint="Give the key that sealed them: --old-key FILE. What nobody can open, remove.")
