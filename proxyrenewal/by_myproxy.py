"""Renews proxies: one MyProxy server after the other is asked, then the VOMS attributes of the old proxy are got again.

The conversation with one server is `renewer`, in a thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.renewer import renew
from proxyrenewal.store import Registration
from wms.errors import Refused, Unavailable
from wms.myproxy import may_ask, server_address
from wms.service import Kit
from wms.x509 import proxy
from wms.x509.rfc3820 import ATTRIBUTE_CERTIFICATES, raw_extension


class Attributes(Protocol):
    """Gets VOMS attributes again."""

    def again(self, old: bytes, new: bytes, timeout_s: float) -> tuple[bytes, float]:
        """The proxy `new` (PEM) with fresh attributes of every VO of `old`, the same FQANs in the same order, and when
        the first of them ends (epoch s). Blocks for at most about `timeout_s`. Raises Refused, Unavailable."""
        ...


class MyProxyRenewer:
    """Asks the server of the job, then those of the settings; one that was silent when last asked comes last."""

    def __init__(self, kit: Kit, attributes: Attributes) -> None:
        self._kit = kit
        self._settings = kit.settings.proxyrenewal
        self._attributes = attributes
        self._silent: set[str] = set()

    async def renew(self, entry: Registration, old: bytes, now: float) -> Fresh | Failed:
        if not entry.myproxy:
            return Failed("none of the jobs names a MyProxyServer", final=True)
        end, problems, silent = now + self._settings.timeout_s, list[str](), False
        servers = self._servers(entry.myproxy)
        for left, server in zip(range(len(servers), 0, -1), servers, strict=True):
            if (remaining := end - self._kit.now()) <= 0:
                break
            try:
                fresh = await self._kit.thread(self._ask, server, old, remaining / left, server == entry.myproxy)
            except (Refused, Unavailable) as error:
                self._note(server, isinstance(error, Unavailable))
                silent = silent or (server == entry.myproxy and isinstance(error, Unavailable))
                problems.append(error.message if server in error.message else f"{server}: {error.message}")
            else:
                self._note(server, False)
                return fresh
        return Failed("; ".join(problems), silent=silent)

    def _servers(self, named: str) -> Sequence[str]:
        return sorted(dict.fromkeys((named, *self._settings.myproxy)), key=self._silent.__contains__)

    def _note(self, server: str, silent: bool) -> None:
        (self._silent.add if silent else self._silent.discard)(server)

    def _ask(self, server: str, old: bytes, timeout_s: float, named: bool) -> Fresh:
        """In a thread."""
        tls, (host, port) = self._kit.settings.tls, server_address(server)
        if named and not may_ask(host, self._settings.myproxy_hosts):
            raise Refused(f"{host} is none of the MyProxy servers that jobs may name here")
        new = renew(host, port, tls.certificate, tls.key, tls.ca_dir, old, self._settings.lifetime_s, timeout_s,
                    clock=self._kit.now)
        ends = proxy.identify(proxy.certificates(new), self._kit.now()).not_after
        if not has_attributes(old):
            return Fresh(new, ends)
        new, first_end = self._attributes.again(old, new, timeout_s)
        return Fresh(new, min(ends, first_end))


def has_attributes(pem: bytes) -> bool:
    """Does a proxy carry VOMS attributes?"""
    return any(raw_extension(cert, ATTRIBUTE_CERTIFICATES) for cert in proxy.certificates(pem))
