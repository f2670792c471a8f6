"""What the service holds of a user's token: the content of a `.token` file among the credentials.

Not the file itself (`wms.credentials`) and not how tokens are got (`wms.issuers`).
"""

from __future__ import annotations

import msgspec

from wms.errors import SealBroken


class Held(msgspec.Struct, frozen=True):
    """An access token of `issuer` until `expires` (epoch seconds), and what renews it.

    `refresh_token` is empty for a token that nobody can renew; `client_id` is the client to whom the refresh token was
    given, empty: the service's own. `scope` as the token endpoint told it. Printed, it shows no token.
    """

    issuer: str
    access_token: str
    expires: float
    refresh_token: str = ""
    client_id: str = ""
    scope: str = ""

    def __repr__(self) -> str:
        return f"Held({self.issuer!r}, expires={self.expires!r}, renewable={bool(self.refresh_token)})"

    __str__ = __repr__

    def encode(self) -> bytes:
        """As JSON."""
        return _encode(self)

    @classmethod
    def decode(cls, content: bytes) -> Held:
        """Raises SealBroken for what `encode` did not make."""
        try:
            return _decode(content)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise SealBroken("A stored token cannot be read: it is no record of one.") from None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Held).decode
