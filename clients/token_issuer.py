"""A token issuer as a client of OAuth meets it: discovery and one form at a time, over verified HTTPS, bounded.

What is asked there and in which order is `clients.login`. Redirections are not followed.
"""

from __future__ import annotations

import http.client
import json
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from wms.errors import BadToken, ConfigError, Unavailable

WAIT_S, LONGEST_S = 10.0, 30.0
LARGEST = 1 << 20
WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


class IssuerUnreachable(Unavailable):
    """The token issuer does not answer, or not as one."""

    code = "WMS_ISSUER_UNREACHABLE"


class IssuerRefused(BadToken):
    """The token issuer says no; `details["error"]` is its word for it (RFC 6749, 5.2 and RFC 8628, 3.5)."""

    code = "WMS_ISSUER_REFUSED"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer by its own description; all addresses are https."""

    url: str
    token_endpoint: str
    device_endpoint: str
    context: ssl.SSLContext

    def token(self, form: Mapping[str, str], secret: str = "") -> dict[str, Any]:
        """The reply of the token endpoint, `secret` being the client's; raises IssuerRefused."""
        return _asked(self.token_endpoint, self.context, form, secret)

    def device(self, form: Mapping[str, str]) -> dict[str, Any]:
        """The reply of the device authorization endpoint."""
        if not self.device_endpoint:
            raise IssuerRefused(f"{self.url} has no login by device code.", hint="Use --robot with a client's secret.")
        return _asked(self.device_endpoint, self.context, form)


def discover(url: str, context: ssl.SSLContext) -> Issuer:
    """The issuer `url`, which must say of itself that it is this one (RFC 8414, 3.3)."""
    base = _https(url, "the issuer").rstrip("/")
    found = _described(base, context)
    if str(found.get("issuer", "")).rstrip("/") != base:
        raise IssuerUnreachable(f"{base} calls itself {str(found.get('issuer'))[:200]!r}: not the same issuer.")
    device = str(found.get("device_authorization_endpoint") or "")
    return Issuer(str(found["issuer"]), _https(str(found.get("token_endpoint", "")), "its token endpoint"),
                  _https(device, "its device endpoint") if device else "", context)


def _described(base: str, context: ssl.SSLContext) -> dict[str, Any]:
    for path in WELL_KNOWN:
        try:
            return _asked(base + path, context)
        except IssuerRefused as refused:
            last = refused
    raise IssuerUnreachable(f"{base} does not describe itself: {last.message}", hint="Is this the issuer's address?")


def _https(url: str, what: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ConfigError(f"the address of {what} must be https://HOST[/PATH], not {url[:200]!r}")
    return url


def _asked(url: str, context: ssl.SSLContext, form: Mapping[str, str] | None = None,
           secret: str = "") -> dict[str, Any]:
    """GET, or POST a form; the JSON object of the answer."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=WAIT_S, context=context)
    method, body, headers = _request(form, secret)
    try:
        connection.request(method, parts.path or "/", body, headers)
        response = connection.getresponse()
        status, content = response.status, _received(response)
    except (OSError, http.client.HTTPException) as error:
        words = getattr(error, "verify_message", "") or getattr(error, "strerror", "") or str(error) or "no answer"
        raise IssuerUnreachable(f"The token issuer at {parts.netloc} cannot be asked: {words}",
                                hint="Its certificate must be of an authority of this system or of X509_CERT_DIR."
                                if isinstance(error, ssl.SSLError) else "") from None
    finally:
        connection.close()
    return _read(parts.netloc, status, content)


def _request(form: Mapping[str, str] | None, secret: str) -> tuple[str, str | None, dict[str, str]]:
    """Method, body and headers. A client with a secret shows it as RFC 6749, 2.3.1 wants it."""
    headers = {"Accept": "application/json"}
    if form is None:
        return "GET", None, headers
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    if secret:
        pair = f"{quote(form['client_id'], safe='')}:{quote(secret, safe='')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        form = {name: value for name, value in form.items() if name != "client_id"}
    return "POST", urlencode(form), headers


def _received(response: http.client.HTTPResponse) -> bytes:
    """The body as far as it is read: LARGEST bytes and one, for LONGEST_S."""
    found, ends = bytearray(), time.monotonic() + LONGEST_S
    while len(found) <= LARGEST and (piece := response.read1(1 << 16)):
        if time.monotonic() > ends:
            raise TimeoutError("it takes too long")
        found += piece
    return bytes(found)


def _read(place: str, status: int, content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content) if len(content) <= LARGEST else None
    except (ValueError, RecursionError):
        found = None
    if status == 200 and isinstance(found, dict):
        return found
    if 400 <= status < 500 and isinstance(found, dict) and isinstance(found.get("error"), str):
        word, more = found["error"][:100], str(found.get("error_description") or "")[:300]
        raise IssuerRefused(f"The token issuer at {place} refuses: {word}{': ' if more else ''}{more}", error=word)
    if 400 <= status < 500:
        raise IssuerRefused(f"The token issuer at {place} answers {status}.", error=str(status))
    raise IssuerUnreachable(f"The token issuer at {place} answers {status}, and nothing that can be read.")
