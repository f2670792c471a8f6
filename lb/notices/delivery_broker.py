"""Notices to a message broker: one connection for all registrations, to the first broker that answers.

While none does, notices wait in the database and nobody else notices.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from twisted.internet.defer import Deferred, DeferredList, DeferredLock
from twisted.internet.endpoints import HostnameEndpoint, connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError

from lb.notices.delivery import Carried
from lb.notices.destinations import Rules, topic
from lb.notices.notifications import TOPIC, Notice, Registration, name_of
from lb.notices.stomp_client import StompConnection
from wms.errors import ConfigError, Refused, TimedOut, Unavailable
from wms.service import Kit, within

CONNECT_S, CONFIRM_S = 10.0, 30.0
PAUSE_S = 2.0
"""After every broker has refused, nobody tries again for this long."""
CONTENT_TYPE = "text/javascript"
DEFAULT_PORTS = {"stomp": 61613, "amqp": 5672}


class Broker(NamedTuple):
    """Where a broker is; `shown` is that without the password."""

    scheme: str
    host: str
    port: int
    vhost: str
    user: str
    password: str

    @property
    def shown(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


class Connection(Protocol):
    """What an open connection offers."""

    @property
    def open(self) -> bool: ...

    def publish(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Deferred[None]: ...

    def close(self) -> None: ...


def broker(url: str) -> Broker:
    """The broker of `stomp://user:password@host:port/vhost` or `amqp://...`; raises ConfigError."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        parts, port = urlsplit(""), 0
    if not port or not parts.hostname:
        raise ConfigError("lb.brokers: a broker is stomp://user:password@host:port or amqp://... ")
    return Broker(parts.scheme, parts.hostname, port, unquote(parts.path[1:]) or "/", unquote(parts.username or ""),
                  unquote(parts.password or ""))


class BrokerCarrier:
    """The carrier; `brokers` in the order in which they are tried."""

    name = "broker"
    scheme = TOPIC
    longest_pause_s = 30.0

    def __init__(self, kit: Kit, brokers: Sequence[Broker]) -> None:
        self._kit = kit
        self._brokers = list(brokers)
        self._lock = DeferredLock()
        self._connection: Connection | None = None
        self._reported = ""
        self._not_before = 0.0

    async def carry(self, registration: Registration, notices: Sequence[Notice]) -> Carried:
        """Publish all, then wait for all confirmations."""
        lb = self._kit.settings.lb
        try:
            where = topic(registration.destination, Rules(lb.brokers, lb.topic_prefixes, ()))
            connection = await self._connected()
        except (Refused, Unavailable) as error:
            return Carried(0, error.message)
        name = name_of(registration.id, self._kit.lb_address)
        sent = [connection.publish(where, notice.body, {
            "content-type": CONTENT_TYPE, "notice": f"{registration.id}-{notice.id}", "notification": name})
            for notice in notices]
        outcomes: list[tuple[bool, Any]]
        try:
            outcomes = await within(self._kit.clock, CONFIRM_S, DeferredList(sent, consumeErrors=True))
        except TimedOut:
            connection.close()
            return Carried(0, "the broker confirms nothing")
        number = next((place for place, (arrived, _value) in enumerate(outcomes) if not arrived), len(outcomes))
        problem = "" if number == len(outcomes) else outcomes[number][1].getErrorMessage()
        return Carried(number, problem)

    async def stop(self) -> None:
        if self._connection is not None:
            self._connection.close()

    async def _connected(self) -> Connection:
        """The connection; made anew if it is lost."""
        return await self._lock.run(lambda: Deferred.fromCoroutine(self._connect()))

    async def _connect(self) -> Connection:
        if self._connection is not None and self._connection.open:
            return self._connection
        if self._kit.now() < self._not_before:
            raise Unavailable(self._reported)
        problems = []
        for one in self._brokers:
            try:
                self._connection = await within(self._kit.clock, CONNECT_S, _MAKERS[one.scheme](self._kit, one))
            except (Unavailable, TimedOut) as error:
                problems.append(f"{one.shown}: {error.message}")
            else:
                self._report(f"notices go to the broker {one.shown}")
                return self._connection
        self._not_before = self._kit.now() + PAUSE_S
        self._report("; ".join(problems))
        raise Unavailable(self._reported)

    def _report(self, state: str) -> None:
        """Say what has changed, once."""
        if state != self._reported:
            self._reported = state
            self._kit.log.warn("brokers: {state}", state=state)


async def _stomp(kit: Kit, to: Broker) -> Connection:
    connection = StompConnection(kit.clock, to.vhost, to.user, to.password)
    try:
        await connectProtocol(_endpoint(kit, to), connection)
        await connection.ready
    except (ConnectError, ConnectionClosed, DNSLookupError) as error:
        raise Unavailable(str(error)) from error
    finally:
        if not connection.open:
            connection.close()
    return connection


async def _amqp(kit: Kit, to: Broker) -> Connection:
    try:
        from lb.notices import amqp
    except ImportError as error:
        raise Unavailable(f"brokers of AMQP need the Python package pika: {error}") from error
    return await amqp.connect(kit.clock, _endpoint(kit, to), to.vhost, to.user, to.password)


def _endpoint(kit: Kit, to: Broker) -> HostnameEndpoint:
    return HostnameEndpoint(kit.clock, to.host, to.port, timeout=CONNECT_S)


_MAKERS: Mapping[str, Callable[[Kit, Broker], Coroutine[Any, Any, Connection]]] = {"stomp": _stomp, "amqp": _amqp}
