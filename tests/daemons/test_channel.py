"""Bytes that are no request: refused with a code, told in the log with the address, whoever they come from."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms.channel import LEAST_BYTES, PATIENCE_S
from wms.httpd import IDLE_TIMEOUT_S, Factory, Router

HEAD = b"PUT /ns/v1/jobs/x/input/y HTTP/1.1\r\nHost: x\r\n"


class Line:
    """One connection to a service that has no operations."""

    def __init__(self) -> None:
        self.clock, self.logged = Clock(), list[Any]()
        router = Router(self.clock, Logger(observer=self.logged.append), b"s" * 32, 10_000_000)
        self.channel: Any = Factory(router, self.clock).buildProtocol(None)
        self.transport: Any = StringTransport()
        self.channel.makeConnection(self.transport)

    def says(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def hangs_up(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))
        assert self.clock.getDelayedCalls() == []

    def codes(self) -> list[str]:
        return [event["error"] for event in self.logged]

    def answer(self) -> tuple[int, str]:
        head, _, body = self.transport.value().partition(b"\r\n\r\n")
        return int(head.split()[1]), json.loads(body)["code"]


@pytest.fixture
def line() -> Line:
    return Line()


@pytest.mark.parametrize("data", [
    b"GET\r\n\r\n", b"GET /\r\n\r\n", b"G ET / HTTP/1.1\r\n\r\n", b"GET / HTTP/3.0\r\n\r\n", b"\x16\x03\x01\x02\r\n",
    b"GET /" + b"x" * 100_000, HEAD + b"X: 1\r\n folded\r\n\r\n", HEAD + b"X: 1\r\n\tfolded\r\n\r\n",
    HEAD + b"X: " + b"y" * 20_000 + b"\r\n\r\n", HEAD + b"X: y\r\n" * 501 + b"\r\n", HEAD + b"nothing\r\n\r\n",
    HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"])
def test_what_is_no_request_is_refused_once_and_logged(line: Line, data: bytes):
    line.says(data)
    line.says(b"more\r\n\r\n")
    assert line.answer() == (400, "NS_BAD_REQUEST")
    assert line.transport.value().count(b"HTTP/1.1") == 1
    assert line.transport.disconnecting
    line.hangs_up()
    assert line.codes() == ["NS_BAD_REQUEST"]
    assert line.logged[0]["peer"] == line.transport.getPeer().host


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\n", HEAD + b"Content-Length: 5\r\n\r\n1234"])
def test_who_leaves_in_the_middle_is_noted(line: Line, data: bytes):
    line.says(data)
    line.hangs_up()
    assert line.codes() == ["NS_BAD_REQUEST"]


def test_who_comes_and_leaves_is_not(line: Line):
    line.hangs_up()
    assert line.codes() == []


def test_a_trickle_ends(line: Line):
    line.says(HEAD + b"Content-Length: 1000000\r\n\r\n")
    for _ in range(100):
        line.clock.advance(IDLE_TIMEOUT_S / 3)
        if line.transport.disconnecting:
            break
        line.says(b"x")
    assert PATIENCE_S < line.clock.seconds() <= PATIENCE_S + IDLE_TIMEOUT_S
    assert line.answer() == (408, "NS_REQUEST_TOO_SLOW")
    line.hangs_up()
    assert line.codes() == ["NS_REQUEST_TOO_SLOW"]


def test_a_slow_line_is_good_enough(line: Line):
    piece = LEAST_BYTES * IDLE_TIMEOUT_S // 3
    line.says(HEAD + b"Content-Length: %d\r\n\r\n" % (30 * piece))
    for _ in range(30):
        line.clock.advance(IDLE_TIMEOUT_S / 3)
        line.says(b"x" * piece)
    assert line.answer()[0] == 404
    line.hangs_up()


def test_each_request_of_a_connection_has_its_own_time(line: Line):
    for _ in range(3):
        line.says(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        line.clock.advance(IDLE_TIMEOUT_S - 1)
    assert line.transport.value().count(b"HTTP/1.1 404") == 3
    line.hangs_up()
