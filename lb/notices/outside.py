"""Connections to web servers that users name: over TLS, only to listed hosts, only to addresses those may have.

What a name means is looked up once and the connection goes to that very address, so that no second answer counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.ssl import optionsForClientTLS
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from lb.notices.destinations import Hook, hook, may_connect
from wms.errors import Unavailable
from wms.fetch import Trust
from wms.service import Kit

CONNECT_S = 5.0


@implementer(IAgentEndpointFactory)
class Outside:
    """Endpoints for an HTTP agent."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._trust = Trust(kit.settings.tls.ca_dir)

    def endpointForURI(self, uri: URI) -> Endpoint:
        """Raises Refused for a host that is not listed."""
        to = hook(uri.toBytes().decode(), self._kit.settings.lb.webhook_hosts)
        return Endpoint(self._kit.clock, to, self._trust)


@implementer(IStreamClientEndpoint)
class Endpoint:
    """The way to one host."""

    def __init__(self, reactor: Any, to: Hook, trust: Trust) -> None:
        self._reactor = reactor
        self._to = to
        self._trust = trust

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Raises Unavailable for a host at a forbidden address."""
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        problem: Exception = Unavailable(f"{self._to.host} has no address")
        for address in await addresses(self._reactor, self._to):
            if not may_connect(address, self._to.named):
                problem = Unavailable(f"{self._to.host} is not at a public address")
                continue
            kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
            plain = kind(self._reactor, address, self._to.port, timeout=CONNECT_S)
            options = optionsForClientTLS(self._to.host, trustRoot=self._trust)
            try:
                connected: IProtocol = await wrapClientTLS(options, plain).connect(factory)
            except ConnectError as error:
                problem = error
            else:
                return connected
        raise problem


@implementer(IResolutionReceiver)
class _Answers:
    """Addresses as they come."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self.over: Deferred[Sequence[str]] = Deferred()

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None: ...

    def addressResolved(self, address: IAddress) -> None:
        self.found.append(getattr(address, "host", ""))

    def resolutionComplete(self) -> None:
        if not self.over.called:
            self.over.callback(self.found)


def addresses(reactor: Any, to: Hook) -> Deferred[Sequence[str]]:
    """The numeric addresses of a host."""
    answers = _Answers()
    reactor.nameResolver.resolveHostName(answers, to.host, to.port)
    return answers.over
