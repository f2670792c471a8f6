"""What a case of the gallery is: a request that must be refused, and how. Tables of them are beside this file."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wms.x509 import proxy
from wms.x509.proxy import Proxy

if TYPE_CHECKING:
    from tests.gallery.house import House

PEER = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request on a connection of its own: who shows what, and what is asked.

    `raw` replaces the whole request. `peer` is the address of loopback that it comes from; `leaves`: hang up when all
    is sent, without reading.
    """

    method: str = "GET"
    path: str = "/ns/v1/delegations"
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    credential: Proxy | None = None
    peer: str = PEER
    raw: bytes = b""
    leaves: bool = False

    def request(self) -> bytes:
        lines = [f"{self.method} {self.path} HTTP/1.1", "Host: localhost", "Connection: close",
                 f"Content-Length: {len(self.body)}", *(f"{name}: {value}" for name, value in self.headers)]
        return self.raw or "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    def secrets(self) -> list[str]:
        """What nobody may find in an answer or a log: the key, and tokens with their signatures."""
        found = [] if self.credential is None else proxy.key_pem(self.credential.key).decode().splitlines()[1:-1]
        for name, value in self.headers:
            if name == "Authorization" and len(value) > 40:
                found += [value.split()[-1], value.rpartition(".")[2] or value]
        return [*found, *filter(None, [self.path.partition("access_token=")[2]])]


Asks = Callable[["House"], Ask]


@dataclass(frozen=True, slots=True)
class Case:
    """`asks` may prepare what it needs; all after it must leave no trace. `who` stands in the log.

    `around` is how the service is meanwhile.
    `below` says why there is no error record in the answer: the refusal is one of TLS or HTTP.
    """

    name: str
    status: int
    code: str
    asks: Asks
    who: str = PEER
    below: str = ""
    around: Callable[[House], AbstractContextManager[None]] = lambda _house: nullcontext()

    def __str__(self) -> str:
        return self.name.replace(" ", "-")
