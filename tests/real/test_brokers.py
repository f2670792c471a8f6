"""Notices to a real message broker, RabbitMQ, by STOMP and by AMQP; a consumer of its own sees what arrives."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from twisted.logger import Logger

from lb.notices import notification_store
from lb.notices.board import Board
from lb.notices.delivery import Delivery
from lb.notices.delivery_broker import BrokerCarrier, broker
from lb.notices.notifications import Flag, Notice, Registration
from tests.ports import free_ports
from wms.config import Lb, Settings
from wms.database import Database, metadata
from wms.identity import Identity
from wms.service import Kit

sys.path.append(str(Path(__file__).parent.parent / "conformance"))
from reactor_thread import run, started, until

PATIENCE_S = 120.0
TOPIC = "grid.emi.jobs"
CONTENT = {"stateName": "Done", "reason": "né: \\ \0"}
Ports = dict[str, str]
Start = Callable[..., dict[str, str]]


@pytest.fixture(scope="module")
def urls(start: Start) -> dict[str, str]:
    """The URL of one broker by scheme."""
    ports = map(str, free_ports(4))
    names = ("AMQP_PORT", "STOMP_PORT", "RABBITMQ_DIST", "EPMD_PORT")
    found = start("rabbitmq", **dict(zip(names, ports, strict=True)))
    return {"amqp": found["AMQP_URL"], "stomp": found["STOMP_URL"]}


@pytest.fixture(params=["stomp", "amqp"])
def url(request: pytest.FixtureRequest, urls: dict[str, str]) -> str:
    return urls[request.param]


@pytest.fixture
def consumer(urls: dict[str, str]) -> Iterator[Any]:
    """A channel with a queue of all topics of this test."""
    connection = pika.BlockingConnection(pika.URLParameters(urls["amqp"]))
    channel = connection.channel()
    channel.queue_declare("seen", exclusive=True)
    channel.queue_bind("seen", "amq.topic", "grid.emi.#")
    yield channel
    connection.close()


def arrived(consumer: Any, number: int) -> list[tuple[Any, Any, bytes]]:
    """The next messages: how they were delivered, their properties, their bodies."""
    found = []
    for method, properties, body in consumer.consume("seen", auto_ack=True, inactivity_timeout=PATIENCE_S):
        assert method is not None, f"only {len(found)} messages have arrived"
        found.append((method, properties, body))
        if len(found) == number:
            consumer.cancel()
            return found
    return found


def kit(*brokers: str, database: Any = None) -> Kit:
    settings = Settings(lb=Lb(brokers=brokers))
    return Kit(settings, database, started(), random.Random(1), {}, Logger(), "lb.example", ("lb.example", 9000), b"s")


def carrier(made: Kit) -> BrokerCarrier:
    return BrokerCarrier(made, [broker(url) for url in made.settings.lb.brokers])


def registration(topic: str = TOPIC, id: str = "abc") -> Registration:
    who = Identity("/CN=jane", not_after=4e9)
    return Registration(id, who.dn, who, f"x-msg://{topic}", (), Flag(0), 0.0, 4e9)


def notices(*ids: int) -> list[Notice]:
    return [Notice(id, notification_store.encode({"number": id, **CONTENT})) for id in ids]


def test_messages_arrive_whole_and_in_order(url: str, consumer: Any) -> None:
    sender, told = carrier(kit(url)), notices(*range(1, 201))
    assert run(sender.carry(registration(), told)) == (200, "")
    seen = arrived(consumer, 200)
    assert [body for _method, _properties, body in seen] == [notice.body for notice in told]
    method, properties, _body = seen[0]
    assert (method.exchange, method.routing_key) == ("amq.topic", TOPIC)
    assert (properties.content_type, properties.delivery_mode) == ("text/javascript", 2)
    assert properties.headers["notice"] == "abc-1"
    assert properties.headers["notification"] == "https://lb.example:9000/NOTIF:abc"
    run(sender.stop())


def test_a_broker_that_is_not_there_is_passed_over(url: str, consumer: Any) -> None:
    (port,) = free_ports(1)
    nobody = f"{url.partition(':')[0]}://guest:guest@127.0.0.1:{port}"
    number, problem = run(carrier(kit(nobody)).carry(registration(), notices(1)))
    assert (number, "127.0.0.1" in problem, "guest" in problem) == (0, True, False)
    sender = carrier(kit(nobody, url))
    assert run(sender.carry(registration(), notices(2))) == (1, "")
    assert len(arrived(consumer, 1)) == 1
    run(sender.stop())


def test_who_may_not_come_in_is_told_so(url: str) -> None:
    sender = carrier(kit(url.replace("guest:guest", "guest:wrong")))
    number, problem = run(sender.carry(registration(), notices(1)))
    assert (number, bool(problem), "wrong" in problem) == (0, True, False)


def test_a_lost_connection_is_made_anew(url: str, consumer: Any) -> None:
    sender = carrier(kit(url))
    assert run(sender.carry(registration(), notices(1))) == (1, "")
    connection: Any = sender._connection
    transport = getattr(connection, "_protocol", connection).transport

    async def cut() -> None:
        transport.abortConnection()

    run(cut())
    until(lambda: not connection.open)
    assert run(sender.carry(registration(), notices(2))) == (1, "")
    assert len(arrived(consumer, 2)) == 2
    run(sender.stop())


def test_a_topic_that_is_no_longer_allowed_is_a_problem_of_its_registration(url: str) -> None:
    sender = carrier(kit(url))
    number, problem = run(sender.carry(registration("elsewhere"), notices(1)))
    assert (number, problem) == (0, "The topic 'elsewhere' is not allowed here.")


def test_notices_wait_for_a_broker_and_are_sent_once_it_is_there(
        start: Start, consumer: Any, urls: dict[str, str], tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/wms.sqlite", started())
    metadata.create_all(database.engine)
    ports = dict(zip(("AMQP_PORT", "STOMP_PORT", "RABBITMQ_DIST", "EPMD_PORT"), map(str, free_ports(4)), strict=True))
    made = kit(f"stomp://guest:guest@127.0.0.1:{ports['STOMP_PORT']}", database=database)
    board = Board(made)
    delivery = Delivery(made, board, carrier(made))

    async def begin() -> None:
        await database.transact(notification_store.put, registration(), "token")
        await delivery.start()
        await board.start()
        told = [("abc", notice.body) for notice in notices(1, 2, 3)]
        await database.transact(notification_store.tell, told, made.now())

    async def end() -> None:
        await board.stop()
        await delivery.stop()

    run(begin())
    until(lambda: delivery.failed > 0)
    late = start("rabbitmq", **ports)
    connection = pika.BlockingConnection(pika.URLParameters(late["AMQP_URL"]))
    channel = connection.channel()
    channel.queue_declare("seen", exclusive=True)
    channel.queue_bind("seen", "amq.topic", TOPIC)
    seen = arrived(channel, 3)
    assert [body for _method, _properties, body in seen] == [notice.body for notice in notices(1, 2, 3)]
    until(lambda: delivery.done == 3)
    connection.close()
    run(end())
    database.close()
