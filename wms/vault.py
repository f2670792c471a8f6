"""Secrets at rest: sealed with the key of the installation when it has one, else as they are. Bytes in, bytes out.

The files are private either way (`wms.files`); where the key comes from is `wms.secret`.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wms.errors import SealBroken

MARK = b"WMSSEAL1"
NONCE = 12


@dataclass(frozen=True, slots=True, repr=False)
class Vault:
    """`key` empty: nothing is sealed, but what was sealed before cannot be opened."""

    key: bytes = b""

    def seal(self, content: bytes, nonce: bytes) -> bytes:
        """`content` as it may lie on disk; `nonce` is random, of NONCE bytes, and never used twice."""
        if not self.key:
            return content
        return MARK + nonce + AESGCM(_derived(self.key)).encrypt(nonce, content, MARK)

    def open(self, stored: bytes) -> bytes:
        """What was sealed, or stored without a seal. Raises SealBroken."""
        if not stored.startswith(MARK):
            return stored
        if not self.key:
            raise SealBroken("A credential is sealed, and the service has no key for it.",
                             hint="Give the service the secret it had when the credential came.")
        nonce, sealed = stored[len(MARK):len(MARK) + NONCE], stored[len(MARK) + NONCE:]
        try:
            return AESGCM(_derived(self.key)).decrypt(nonce, sealed, MARK)
        except (InvalidTag, ValueError):
            raise SealBroken("A sealed credential cannot be opened: the key is another one, or the file is damaged.") \
                from None


UNSEALED = Vault()


def _derived(key: bytes) -> bytes:
    return HKDF(SHA256(), 32, None, b"wms credentials at rest").derive(key)
