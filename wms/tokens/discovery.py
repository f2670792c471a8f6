"""Where an issuer tells about itself, and what it tells (OpenID Connect Discovery 1.0, RFC 8414).

Fetched by `wms.issuer_keys`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from wms.errors import Unavailable


class Metadata(msgspec.Struct, frozen=True):
    """`token_endpoint` is empty when there is none."""

    issuer: str
    jwks_uri: str
    token_endpoint: str = ""


def places(issuer: str) -> tuple[str, str]:
    """URLs of the metadata: below the issuer (OpenID, which the WLCG profile demands), before its path (RFC 8414)."""
    parts = urlsplit(issuer)
    path = parts.path.rstrip("/")
    return (f"{issuer.rstrip('/')}/.well-known/openid-configuration",
            f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{path}")


def parse(content: bytes, issuer: str) -> Metadata:
    """Raises Unavailable unless it is the metadata of exactly this issuer."""
    try:
        found = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unavailable("its metadata are not those of an issuer") from None
    if found.issuer != issuer:
        raise Unavailable("its metadata are of another issuer")
    for url in filter(None, (found.jwks_uri, found.token_endpoint)):
        if not is_https(url):
            raise Unavailable("its metadata name places that are not https")
    return found


def is_https(url: str) -> bool:
    """Is it an https URL of a host, perhaps with a port, without a user and without blanks?"""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    clean = url.isascii() and url.isprintable() and " " not in url
    return clean and parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc and port != 0


_decode = msgspec.json.Decoder(Metadata).decode
