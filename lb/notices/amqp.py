"""A connection to an AMQP 0-9-1 broker that publishes and waits for confirmation, on the library pika.

Imported only where such a broker is configured.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pika  # type: ignore[import-untyped]
from pika.adapters.twisted_connection import TwistedProtocolConnection  # type: ignore[import-untyped]
from pika.exceptions import AMQPError  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectError, ConnectionClosed, DNSLookupError
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.python.failure import Failure

from wms.errors import Unavailable

EXCHANGE = "amq.topic"
HEARTBEAT_S = 30
PERSISTENT = 2


class AmqpConnection:
    """An open channel in confirm mode."""

    def __init__(self, protocol: Any, channel: Any) -> None:
        self._protocol = protocol
        self._channel = channel

    @property
    def open(self) -> bool:
        return bool(self._channel.is_open and self._protocol.is_open)

    def publish(self, topic: str, body: bytes, headers: Mapping[str, str]) -> Deferred[None]:
        """Fires when the broker has the message; `content-type` and `notice` become properties too."""
        properties = pika.BasicProperties(
            content_type=headers.get("content-type"), message_id=headers.get("notice"),
            delivery_mode=PERSISTENT, headers=dict(headers))
        done: Deferred[None] = self._channel.basic_publish(EXCHANGE, topic, body, properties)
        return done.addCallbacks(lambda _confirmed: None, _unavailable)

    def close(self) -> None:
        """Hang up; messages without a confirmation fail."""
        if self._protocol.is_open:
            self._protocol.close()
        elif self._protocol.transport is not None:
            self._protocol.transport.abortConnection()


async def connect(clock: IReactorTime, endpoint: IStreamClientEndpoint, vhost: str, user: str,
                  password: str) -> AmqpConnection:
    """An open channel; raises Unavailable."""
    credentials = pika.PlainCredentials(user or "guest", password or "guest")
    protocol = TwistedProtocolConnection(
        pika.ConnectionParameters(virtual_host=vhost, credentials=credentials, heartbeat=HEARTBEAT_S),
        custom_reactor=clock)
    try:
        await connectProtocol(endpoint, protocol)
        await protocol.ready
        channel = await protocol.channel()
        await channel.confirm_delivery()
    except (AMQPError, ConnectError, ConnectionClosed, DNSLookupError) as error:
        raise Unavailable(f"The broker does not let us in: {error!r}") from error
    return AmqpConnection(protocol, channel)


def _unavailable(failure: Failure) -> Failure:
    """What the broker did not take, as our own error."""
    return Failure(Unavailable(f"The broker did not take it: {failure.value!r}"))
