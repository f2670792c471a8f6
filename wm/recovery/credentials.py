"""When the credential of a job ends: as it was when the job came, or later if it has been renewed since.

What becomes of jobs whose credential has ended: `wm.recovery.credential_ends`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from cryptography import x509

from wm.recovery.dwell import PROXY_NAME, TOKEN_NAME, Life
from wms.credentials import PROXY, TOKEN
from wms.errors import WmsError
from wms.messages.submission import Submit
from wms.tokens.held import Held
from wms.x509.proxy import certificates

LOOK_S = 30.0
"""A file is not read more often than this, unless a job came with a later end: many jobs have the same credential."""
MOST_KNOWN = 4096


class Seen(NamedTuple):
    """What files of a credential say: its end (epoch s), whether a token can renew it, what it is; when they were
    read, and the latest end that anybody had told by then."""

    ends: float = 0.0
    renewable: bool = False
    what: str = PROXY_NAME
    looked: float = float("-inf")
    told: float = float("-inf")


class Credentials:
    """`read(credential, kind)` raises OSError or WmsError; it is used only when the end that is known is too early.

    `patience_s`: how long after its end a credential that can be renewed is waited for.
    """

    def __init__(self, read: Callable[[str, str], bytes], patience_s: float = 0.0) -> None:
        self._read = read
        self._patience_s = patience_s
        self._seen: dict[str, Seen] = {}

    def life(self, submit: Submit, now: float, until: float = 0.0) -> Life:
        """Of the credential of a job; one that ends before `until` (epoch s) and, as far as is known, cannot be renewed
        is looked at, as is one that has ended. Call it outside transactions."""
        seen = self._seen.get(submit.credential, Seen())
        told, until = submit.credential_ends, now if submit.renewable or seen.renewable else max(now, until)
        if max(told, seen.ends) <= until and (now - seen.looked >= LOOK_S or told > seen.told):
            seen = self._look(submit.credential, seen, now, told)
        ends, renewable = max(submit.credential_ends, seen.ends), submit.renewable or seen.renewable
        return Life(ends, ends + (self._patience_s if renewable else 0.0), renewable, seen.what)

    def look(self, credential: str, now: float) -> Seen:
        """What its files say now; one that is gone or cannot be read has ended at 0."""
        return self._look(credential, Seen(), now)

    def _look(self, credential: str, before: Seen, now: float, told: float = float("-inf")) -> Seen:
        if len(self._seen) >= MOST_KNOWN:
            self._seen.clear()
        found = max(self._on_disk(credential), key=lambda seen: seen.ends)
        latest = max(before, found, key=lambda seen: seen.ends)._replace(looked=now, told=max(told, before.told))
        self._seen[credential] = latest
        return latest

    def _on_disk(self, credential: str) -> tuple[Seen, Seen]:
        return self._proxy(credential), self._token(credential)

    def _proxy(self, credential: str) -> Seen:
        """The first end in the chain."""
        try:
            chain = certificates(self._read(credential, PROXY))
        except (OSError, WmsError):
            return Seen()
        return Seen(min(map(_end, chain), default=0.0))

    def _token(self, credential: str) -> Seen:
        try:
            held = Held.decode(self._read(credential, TOKEN))
        except (OSError, WmsError):
            return Seen()
        return Seen(held.expires, bool(held.refresh_token), TOKEN_NAME)


def _end(certificate: x509.Certificate) -> float:
    return certificate.not_valid_after_utc.timestamp()
