"""Web hooks to real HTTPS servers on loopback: signed, in order, no further than allowed."""

from __future__ import annotations

import random
import socket
import ssl
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from lb.notices.delivery import Carried
from lb.notices.delivery_webhook import WebhookCarrier
from lb.notices.notifications import Flag, Notice, Registration
from lb.notices.signatures import HEADER, genuine
from wms.config import Lb, Settings, Tls
from wms.identity import Identity
from wms.service import Kit

sys.path.append(str(Path(__file__).parent.parent / "conformance"))
from reactor_thread import run, started, until

SECRET = "ab" * 32
BODY = b'{"stateName":"Done"}'
Paths = dict[str, str]


class Receiver(ThreadingHTTPServer):
    """`answers` are statuses by path; what comes is in `got`; `/hang` never answers."""

    daemon_threads = True

    def __init__(self, certificate: str, key: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True)
        self.answers = {"/gone": 410, "/moved": 302}
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.hanging, self.released = Event(), Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error here."""

    def url(self, path: str = "/hook", host: str = "localhost") -> str:
        return f"https://{host}:{self.server_address[1]}{path}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers.items()), body))
        if self.path == "/hang":
            self.server.hanging.set()
            self.server.released.wait(60)
        self.send_response(self.server.answers.get(self.path, 200))
        self.send_header("Location", "/elsewhere")
        reply = b"x" * 1_000_000 if self.path == "/long" else b"thanks"
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *args: Any) -> None: ...


@pytest.fixture
def receiver(ca: Paths) -> Iterator[Receiver]:
    made = Receiver(ca["HOST_CERT"], ca["HOST_KEY"])
    thread = Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.released.set()
    made.shutdown()
    thread.join()
    made.server_close()


def carrier(ca_dir: str) -> WebhookCarrier:
    settings = Settings(tls=Tls(ca_dir=ca_dir), lb=Lb(webhook_hosts=("localhost", "*.localhost")))
    kit = Kit(settings, None, started(), random.Random(1), {}, Logger(), "lb.example",  # type: ignore[arg-type]
              ("lb.example", 9000), b"s")
    return WebhookCarrier(kit)


@pytest.fixture
def hooks(ca: Paths) -> Iterator[WebhookCarrier]:
    made = carrier(ca["X509_CERT_DIR"])
    yield made
    run(made.stop())


def registration(destination: str) -> Registration:
    who = Identity("/CN=jane", not_after=4e9)
    return Registration("abc", who.dn, who, destination, (), Flag(0), 0.0, 4e9, SECRET)


def carried(hooks: WebhookCarrier, destination: str, number: int = 1) -> Carried:
    return run(hooks.carry(registration(destination), [Notice(id, BODY) for id in range(1, number + 1)]))


def test_notices_arrive_signed_and_in_order_on_one_connection(receiver: Receiver, hooks: WebhookCarrier) -> None:
    assert carried(hooks, receiver.url("/hook?a=b"), 20) == (20, "")
    assert [headers["Lb-Notice"] for _path, headers, _body in receiver.got] == [str(id) for id in range(1, 21)]
    path, headers, body = receiver.got[0]
    now = started().seconds()
    assert (path, headers["Content-Type"], msgspec.json.decode(body)) == (
        "/hook?a=b", "application/json", {"stateName": "Done"})
    assert headers["Lb-Notification"] == "https://lb.example:9000/NOTIF:abc"
    signed = {name.lower(): value for name, value in headers.items()}[HEADER.lower()]
    assert genuine(SECRET, signed, body, now)
    assert not genuine(SECRET, signed, body + b" ", now)


@pytest.mark.parametrize(("path", "problem"), [("/gone", "the answer is 410"), ("/moved", "the answer is 302")])
def test_other_answers_are_failures_and_redirects_are_not_followed(
        receiver: Receiver, hooks: WebhookCarrier, path: str, problem: str) -> None:
    assert carried(hooks, receiver.url(path)) == (0, problem)
    assert [path for path, _headers, _body in receiver.got] == [path]


def test_a_long_answer_is_not_read(receiver: Receiver, hooks: WebhookCarrier) -> None:
    assert carried(hooks, receiver.url("/long"), 2) == (2, "")


def test_a_server_that_hangs_is_left_and_holds_up_nobody(
        receiver: Receiver, hooks: WebhookCarrier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lb.notices.delivery_webhook.ATTEMPT_S", 0.5)
    assert carried(hooks, receiver.url("/hang")).number == 0
    assert receiver.hanging.is_set()
    assert carried(hooks, receiver.url()) == (1, "")


def test_nobody_there(hooks: WebhookCarrier) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert carried(hooks, f"https://localhost:{probe.getsockname()[1]}/").number == 0


def test_a_private_address_must_be_named(receiver: Receiver, hooks: WebhookCarrier) -> None:
    number, problem = carried(hooks, receiver.url(host="a.localhost"))
    assert (number, receiver.got) == (0, [])
    assert problem in ("a.localhost is not at a public address", "a.localhost has no address")


def test_hosts_that_are_no_longer_listed_get_nothing(receiver: Receiver, hooks: WebhookCarrier) -> None:
    assert carried(hooks, receiver.url(host="127.0.0.1")) == (0, "Web hooks may not go to 127.0.0.1.")


def test_a_server_nobody_vouches_for_gets_nothing(receiver: Receiver, tmp_path: Path) -> None:
    hooks = carrier(str(tmp_path))
    number, problem = carried(hooks, receiver.url())
    assert (number, bool(problem), receiver.got) == (0, True, [])
    run(hooks.stop())


def test_what_is_under_way_can_be_given_up(receiver: Receiver, hooks: WebhookCarrier) -> None:
    work: list[Deferred[Any]] = []
    ended: list[object] = []

    async def begin() -> None:
        work.append(Deferred.fromCoroutine(hooks.carry(registration(receiver.url("/hang")), [Notice(1, BODY)])))

    async def cancel() -> None:
        work[0].addBoth(ended.append)
        work[0].cancel()

    run(begin())
    until(receiver.hanging.is_set)
    run(cancel())
    until(lambda: bool(ended))
    assert isinstance(ended[0], Carried)
    assert ended[0].number == 0
