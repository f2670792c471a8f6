"""The credentials that the service holds for users: private files of its own, sealed when there is a key.

They block; sealing is `wms.vault`. Which credential is whose is in the tables of the Network Server; Proxy Renewal
replaces files whole.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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

    def remove(self, credential: str, *kinds: str) -> None:
        """What is there of these kinds, all without any."""
        for kind in kinds or (PROXY, TOKEN, PENDING):
            self.path(credential, kind).unlink(missing_ok=True)
