"""When the credential of a waiting job ends: as it was when the job came, or later if it has been renewed since."""

from __future__ import annotations

from collections.abc import Callable

from cryptography import x509

from wms.errors import WmsError
from wms.messages import Submit
from wms.x509.proxy import certificates

LOOK_S = 30.0
"""A file is not read more often than this: many jobs have the same credential."""


class Credentials:
    """`ends` uses `read` only when the end that is known has come; call it outside transactions."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._looked: dict[str, float] = {}
        self._renewed: dict[str, float] = {}

    def ends(self, submit: Submit, now: float) -> float:
        """Epoch s."""
        known = max(submit.credential_ends, self._renewed.get(submit.credential, 0.0))
        if now >= known and now - self._looked.get(submit.credential, float("-inf")) >= LOOK_S:
            self._looked[submit.credential] = now
            known = self._renewed[submit.credential] = max(known, self._on_disk(submit.credential))
        return known

    def _on_disk(self, credential: str) -> float:
        """The first end in the chain; 0 for a file that is gone or cannot be read."""
        try:
            chain = certificates(self._read(credential))
        except (OSError, WmsError):
            return 0.0
        return min(map(_end, chain), default=0.0)


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
