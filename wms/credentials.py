"""The credentials that the service holds for users: private files of its own, sealed when there is a key.

They block; sealing is `wms.vault`, sealing them anew `wms.sealing`. Which credential is whose is in the tables of the
Network Server; Proxy Renewal replaces files whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wms.errors import ConfigError
from wms.files import write_private
from wms.vault import NONCE, Vault

PROXY, TOKEN, PENDING = ".pem", ".token", ".pending"
"""What lies there: certificate, key and chain (PEM); tokens as JSON (`wms.tokens.held`); a key that waits for its
certificate.
"""


@dataclass(frozen=True, slots=True)
class Credentials:
    directory: Path
    vault: Vault

    def path(self, credential: str, kind: str = PROXY) -> Path:
        """Where it lies."""
        return self.directory / f"{credential}{kind}"

    def read(self, credential: str, kind: str = PROXY) -> bytes:
        """Its content. Raises FileNotFoundError, SealBroken."""
        return self.vault.open(self.path(credential, kind).read_bytes())

    def write(self, credential: str, content: bytes, kind: str = PROXY) -> None:
        """Put it in place whole, mode 0600."""
        write_private(self.path(credential, kind), self.vault.seal(content, os.urandom(NONCE)))

    def every(self) -> Iterator[tuple[str, str]]:
        """(credential, kind) of all that lie here, also below."""
        for path in sorted(self.directory.glob("**/*")):
            if path.suffix in (PROXY, TOKEN, PENDING) and not path.name.startswith("."):
                yield str(path.relative_to(self.directory).with_suffix("")), path.suffix

    def require_private(self) -> None:
        """Make the directory if it is not there. Raises ConfigError when others than this user could read in it."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in (self.directory, *self.directory.glob("**/*")):
            _require_private(path)

    def remove(self, credential: str, *kinds: str) -> None:
        """What is there of these kinds, all without any."""
        for kind in kinds or (PROXY, TOKEN, PENDING):
            self.path(credential, kind).unlink(missing_ok=True)


def _require_private(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:  # renewed or removed at this moment
        return
    if found.st_uid != os.geteuid():
        raise ConfigError(f"{path} belongs to user {found.st_uid}, but the service runs as {os.geteuid()}.",
                          hint=f"Run: chown -R {os.geteuid()} {path}")
    if found.st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others (mode {found.st_mode & 0o777:04o}).",
                          hint=f"Run: chmod -R go= {path}")
