"""MyProxy servers as jobs name them: their address, and which of them may be asked.

Not the protocol, which is Proxy Renewal's own.
"""

from __future__ import annotations

from collections.abc import Iterable

from wms.errors import Refused

DEFAULT_PORT = 7512


def server_address(text: str) -> tuple[str, int]:
    """(host, port) of `host` or `host:port`; Refused when it is neither."""
    host, _, port = text.strip().partition(":")
    if not host or not (port or str(DEFAULT_PORT)).isdecimal() or text.endswith(":"):
        raise Refused(f"not the address of a MyProxy server: {text!r}", hint="Write host or host:port.")
    return host, int(port or DEFAULT_PORT)


def may_ask(host: str, patterns: Iterable[str]) -> bool:
    """May a job name this host (without a port)? By `host` or `*.domain`, for all below it; without patterns any may.

    It is a rule about names: what address a name has is the name service's business.
    """
    wanted, allowed = _plain(host), [_plain(pattern) for pattern in patterns]
    return not allowed or any(_matches(wanted, pattern) for pattern in allowed)


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[1:] if pattern.startswith("*.") else host == pattern


def _plain(host: str) -> str:
    return host.strip().lower().rstrip(".")
