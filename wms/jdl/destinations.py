"""Where the files of an output sandbox go that do not stay at the service: OutputSandboxDestURI and its base.

Pure: a description in, addresses out, fit for any program that reads URLs. Not here: how they get there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlsplit

from wms.jdl.ast import Ad
from wms.jdl.evaluate import evaluate
from wms.sandbox import base_name, local_path, name_problem, scheme

__all__ = ["PROTOCOLS", "Destination", "destination_problem", "destinations"]

PROTOCOLS: Final = {"https": "https", "davs": "https", "http": "http", "dav": "http", "gsiftp": "gsiftp",
                    "file": "file"}
"""What a wrapper can send to, and what each protocol is spoken as."""

_KEPT = "/:?#[]@!$&'()*+,;=%-._~"
_SIGNED = ({"x-amz-signature"}, {"x-goog-signature"}, {"signature", "expires"})


@dataclass(frozen=True, slots=True)
class Destination:
    """An entry of the OutputSandbox and where it goes: `address`, a directory if it ends with "/".

    `name` instead of an address: it stays at the service, under that name. `file://` is followed by a path as it is,
    other addresses are encoded.
    """

    entry: str
    address: str = ""
    name: str = ""

    def of(self, file: str) -> Destination:
        """Where one file goes: below a directory, under its base name."""
        name = base_name(file)
        below = name if self.address.startswith("file:") else quote(name, safe="")
        return replace(self, address=self.address + below) if self.address.endswith("/") else self

    @property
    def signed(self) -> bool:
        """The address is a credential itself: no other is shown there."""
        query = self.address.partition("?")[2].partition("#")[0]
        names = {part.partition("=")[0].lower() for part in query.split("&")}
        return any(signature <= names for signature in _SIGNED)

    @property
    def shown(self) -> str:
        """The address without what may be secret, in one line and without blanks."""
        address = self.address if self.address.startswith("file:") else self.address.partition("?")[0]
        return quote(_without_user(address), safe="/:+=,@$~%")


def destinations(ad: Ad) -> dict[str, Destination]:
    """By entry of the OutputSandbox, those whose destination the description tells; it was checked before."""
    entries, told = _texts(ad, "OutputSandbox"), _texts(ad, "OutputSandboxDestURI")
    if base := "".join(_texts(ad, "OutputSandboxBaseDestURI")):
        return {entry: Destination(entry, f"{_address(base).rstrip('/')}/") for entry in entries}
    found = [Destination(entry, _address(place)) if scheme(place) else Destination(entry, name=place)
             for entry, place in zip(entries, told, strict=False)]
    return {one.entry: one for one in found}


def destination_problem(place: str) -> str | None:
    """What is wrong with one OutputSandboxDestURI."""
    protocol = scheme(place)
    if not protocol:
        return name_problem(place)
    if protocol not in PROTOCOLS:
        return f"'{place}': the protocol must be one of {', '.join(PROTOCOLS)}"
    host, _, path = place.partition("://")[2].partition("/")
    if protocol == "file":
        return None if host in ("", "localhost") and path else f"'{place}' must be file:///PATH, on the worker node"
    return None if _has_host(place) else f"'{place}' names no host"


def _has_host(place: str) -> bool:
    try:
        parts = urlsplit(place)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _address(place: str) -> str:
    protocol = scheme(place)
    if protocol == "file":
        return "file://" + local_path(place)
    return PROTOCOLS.get(protocol, protocol) + quote(place[len(protocol):], safe=_KEPT)


def _without_user(address: str) -> str:
    protocol, _, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    return f"{protocol}://{host.rpartition('@')[2]}{slash}{path}"


def _texts(ad: Ad, name: str) -> list[str]:
    node = ad.get(name)
    value = None if node is None else evaluate(node, ad)
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]
