"""A conversation that goes wrong: what is repeated, what is not, and which error is left.

The other side is a real TLS server on loopback that plays one prepared answer for each request.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import io
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clients import credential
from clients.api import Client
from clients.files import receive
from clients.settings import Place, Settings
from clients.transport import Connection
from wms.errors import (
    BadToken,
    NoServer,
    Overloaded,
    RemoteError,
    TimedOut,
    TokenWithheld,
    UntrustedCredential,
)
from wms.operations import OPERATIONS, File, PurgeRequest
from wms.x509 import authority

DROP, HANG = b"drop", b"hang"
CLAIMS = b'{"iss":"i","sub":"s","aud":"https://elsewhere:1"}'
JWT = f"e30.{base64.urlsafe_b64encode(CLAIMS).decode().rstrip('=')}.s"
VERSION = {"version": "1", "server": "here"}


def answer(record: object, status: int = 200, *, body: bytes = b"", length: int | None = None) -> bytes:
    body = body or json.dumps(record).encode()
    return (f"HTTP/1.1 {status} {http.client.responses[status]}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


class Server:
    """Plays `script`, one entry a request; `seen` are the requests (method, path, headers, body)."""

    def __init__(self, context: ssl.SSLContext, script: list[bytes]) -> None:
        self.script, self.seen, self.connections = script, [], 0
        self._context, self._open = context, []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    seen: list[tuple[str, str, dict[str, str], bytes]]
    _open: list[ssl.SSLSocket]

    def _serve(self) -> None:
        while True:
            try:
                raw, _ = self._socket.accept()
            except OSError:
                return
            try:
                connection = self._context.wrap_socket(raw, server_side=True)
            except OSError:
                raw.close()
                continue
            self.connections += 1
            try:
                self._play(connection)
            except OSError:
                connection.close()

    def _play(self, connection: ssl.SSLSocket) -> None:
        stream = connection.makefile("rb")
        while self.script and (line := stream.readline()):
            method, path, _ = line.decode().split()
            headers = {k.lower(): v for k, v in http.client.parse_headers(stream).items()}
            body = stream.read(int(headers.get("content-length", 0)))
            self.seen.append((method, path, headers, body))
            reply = self.script.pop(0)
            if reply == HANG:
                self._open.append(connection)
                return
            if reply != DROP:
                connection.sendall(reply)
            if reply == DROP or b"Connection: close" in reply:
                stream.close()
                connection.close()
                return
        stream.close()
        self._open.append(connection)

    def close(self) -> None:
        self.script.clear()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)
        for connection in self._open:
            connection.close()


Start = Callable[..., tuple[Server, Connection]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory, now = tmp_path_factory.mktemp("tls"), time.time()
    ca = authority.make_authority(now, serial=1, kind="ec")
    host = authority.host_certificate(ca, ["localhost"], now, serial=2, kind="ec")
    user = authority.user_certificate(ca, "alice", now, serial=3, kind="ec")
    (directory / "host.pem").write_bytes(host.certificate + host.key)
    (directory / "user.pem").write_bytes(user.certificate + user.key)
    (directory / "user.pem").chmod(0o600)
    (directory / "ca").mkdir()
    (directory / "empty").mkdir()
    for name, content in authority.trust_files(ca.certificate).items():
        (directory / "ca" / name).write_bytes(content)
    return directory


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    opened: list[tuple[Server, Connection]] = []

    def begin(*script: bytes, ca: str = "ca", request_s: float = 30.0,
              refuse_client: bool = False) -> tuple[Server, Connection]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(home / "host.pem")
        if refuse_client:
            context.verify_mode = ssl.CERT_REQUIRED
        server = Server(context, list(script))
        mine = credential.look(str(home / "user.pem"), str(home / ca), time.time())
        opened.append((server, Connection("localhost", server.port, mine, request_s)))
        return opened[-1]

    yield begin
    for server, connection in opened:
        connection.close()
        server.close()


def test_one_connection_serves_many_calls(start: Start):
    server, connection = start(*[answer(VERSION)] * 3)
    for _ in range(3):
        assert connection.call(OPERATIONS["ns.version"]).server == "here"
    assert server.connections == 1


def test_a_connection_lost_before_the_answer_is_made_again(start: Start):
    server, connection = start(answer(VERSION), DROP, answer(VERSION))
    connection.call(OPERATIONS["ns.version"])
    connection.call(OPERATIONS["ns.version"])
    assert (len(server.seen), server.connections) == (3, 2)


def test_a_keyed_call_is_repeated_with_the_same_key(start: Start):
    server, connection = start(DROP, answer({"job": "j"}))
    connection.call(OPERATIONS["ns.purge"], PurgeRequest(), key="abcdefgh", unique="u")
    assert [headers["idempotency-key"] for _, _, headers, _ in server.seen] == ["abcdefgh"] * 2


def test_a_call_without_a_key_is_not_repeated(start: Start):
    server, connection = start(DROP, answer({"job": "j"}))
    with pytest.raises(TimedOut, match=r"did not answer ns\.purge") as caught:
        connection.call(OPERATIONS["ns.purge"], PurgeRequest(), unique="u")
    assert "not known whether" in caught.value.hint
    assert len(server.seen) == 1


def test_repetition_has_an_end(start: Start):
    server, connection = start(*[DROP] * 5)
    with pytest.raises(TimedOut):
        connection.call(OPERATIONS["ns.version"])
    assert len(server.seen) == 3


def test_a_service_that_says_nothing_is_left(start: Start):
    _, connection = start(HANG, request_s=0.2)
    with pytest.raises(TimedOut, match="no answer within 0 s"):
        connection.call(OPERATIONS["ns.purge"], PurgeRequest(), unique="u")


def test_a_busy_service_is_asked_again(start: Start):
    busy = answer({"code": "NS_SERVER_BUSY", "message": "later"}, 503)
    _, connection = start(busy, answer(VERSION), *[busy] * 3)
    assert connection.call(OPERATIONS["ns.version"]).server == "here"
    with pytest.raises(Overloaded, match="later"):
        connection.call(OPERATIONS["ns.version"])


def test_an_error_keeps_its_code_hint_and_details(start: Start):
    _, connection = start(answer({"code": "NS_NOT_OWNER", "message": "no", "hint": "h", "details": {"a": 1}}, 403))
    with pytest.raises(RemoteError, match="no") as caught:
        connection.call(OPERATIONS["ns.version"])
    error = caught.value
    assert (error.code, error.status, error.hint, error.details) == ("NS_NOT_OWNER", 403, "h", {"a": 1})


@pytest.mark.parametrize(("reply", "code"), [
    (answer({}, 404, body=b"<html>"), "WMS_ERROR"), (answer({}, 413, body=b"x"), "NS_SANDBOX_TOO_LARGE"),
    (answer({}, body=b"not json"), "API_NATIVE_ERROR"), (answer({"other": 1}), "API_NATIVE_ERROR")])
def test_an_answer_that_is_not_ours_is_an_error_too(start: Start, reply: bytes, code: str):
    _, connection = start(reply)
    with pytest.raises(RemoteError) as caught:
        connection.call(OPERATIONS["ns.version"])
    assert caught.value.code == code


def test_an_upload_is_sent_whole_again_after_a_loss(start: Start):
    content = b"x" * 700_000
    server, connection = start(DROP, answer({"name": "f", "size": len(content), "sha256": "s"}))
    file = io.BytesIO(content)
    assert connection.upload(OPERATIONS["ns.upload"], file, len(content), "s", unique="u", name="a b").name == "f"
    assert [body for _, _, _, body in server.seen] == [content] * 2
    assert server.seen[0][:2] == ("PUT", "/ns/v1/jobs/u/input/a%20b")
    assert server.seen[0][2]["digest"] == "sha-256=s"


def test_a_download_cut_short_is_fetched_again(start: Start, tmp_path: Path):
    file = File("f", 5, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    cut = answer({}, body=b"hel", length=5).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
    server, connection = start(cut, answer({}, body=b"hello"))
    connection.download(OPERATIONS["ns.output"], lambda response: receive(response, str(tmp_path), file),
                        unique="u", name="f")
    assert (tmp_path / "f").read_bytes() == b"hello"
    assert len(server.seen) == 2


def test_a_server_whose_ca_is_unknown(start: Start):
    _, connection = start(answer(VERSION), ca="empty")
    with pytest.raises(NoServer, match="its certificate is not accepted") as caught:
        connection.call(OPERATIONS["ns.version"])
    assert "X509_CERT_DIR" in caught.value.hint


def test_a_server_that_does_not_accept_our_certificate(start: Start):
    _, connection = start(answer(VERSION), refuse_client=True)
    with pytest.raises(UntrustedCredential, match="does not accept the credential in"):
        connection.call(OPERATIONS["ns.version"])


def test_a_port_where_nobody_listens(start: Start):
    _, connection = start()
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = Connection("localhost", closed.getsockname()[1], connection.credential)
        with pytest.raises(NoServer, match="connection refused"):
            nobody.call(OPERATIONS["ns.version"])


# -- with a token ------------------------------------------------------------------------------------------


def bearing(connection: Connection, token: str = "T0KEN") -> Connection:
    """The same with a token instead of a certificate."""
    mine = credential.Credential("", connection.credential.ca_dir, time.time() + 60, "d", (), credential.TOKEN, token)
    return Connection(connection.host, connection.port, mine, 30.0)


def test_a_token_goes_with_every_kind_of_call(start: Start, tmp_path: Path):
    file = File("f", 5, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824")
    server, connection = start(answer(VERSION), answer({"name": "f", "size": 1, "sha256": "s"}),
                               answer({}, body=b"hello"), answer({}, body=b"{}\n"))
    mine = bearing(connection)
    mine.call(OPERATIONS["ns.version"])
    mine.upload(OPERATIONS["ns.upload"], io.BytesIO(b"x"), 1, "s", unique="u", name="f")
    mine.download(OPERATIONS["ns.output"], lambda response: receive(response, str(tmp_path), file),
                  unique="u", name="f")
    list(mine.lines(OPERATIONS["lb.notify_stream"], 5.0, id="x"))
    mine.close()
    assert [headers["authorization"] for _, _, headers, _ in server.seen] == ["Bearer T0KEN"] * 4


def test_a_proxy_is_never_beside_a_header(start: Start):
    server, connection = start(answer(VERSION))
    connection.call(OPERATIONS["ns.version"])
    assert "authorization" not in server.seen[0][2]


def test_a_token_does_not_follow_a_redirection(start: Start):
    elsewhere, _ = start(answer(VERSION))
    away = answer({}, 302, body=b"{}").replace(b"\r\n\r\n", f"\r\nLocation: https://localhost:{elsewhere.port}/"
                                              "\r\n\r\n".encode(), 1)
    server, connection = start(away)
    mine = bearing(connection)
    with pytest.raises(RemoteError):
        mine.call(OPERATIONS["ns.version"])
    mine.close()
    assert (len(server.seen), elsewhere.connections) == (1, 0)


def test_a_token_is_not_sent_to_a_server_that_is_not_known(start: Start, home: Path):
    server, connection = start(answer(VERSION), ca="empty")
    with pytest.raises(NoServer):
        bearing(connection).call(OPERATIONS["ns.version"])
    named_otherwise = bearing(connection)
    named_otherwise.host = "127.0.0.1"
    named_otherwise.credential = dataclasses.replace(named_otherwise.credential, ca_dir=str(home / "ca"))
    with pytest.raises(NoServer, match="its certificate is not accepted"):
        named_otherwise.call(OPERATIONS["ns.version"])
    assert server.seen == []


def test_a_server_that_wants_a_certificate_says_so_of_a_token(start: Start):
    _, connection = start(answer(VERSION), refuse_client=True)
    with pytest.raises(BadToken, match="wants a certificate and not a token"):
        bearing(connection).call(OPERATIONS["ns.version"])


def test_without_grid_authorities_those_of_the_system_are_asked(start: Start):
    server, connection = start(answer(VERSION))
    mine = bearing(connection)
    mine.credential = dataclasses.replace(mine.credential, ca_dir="/none")
    with pytest.raises(NoServer, match="its certificate is not accepted"):
        mine.call(OPERATIONS["ns.version"])
    assert server.seen == []


def client_of(connection: Connection, *configured: Place) -> Client:
    return Client(Settings(ns=configured), bearing(connection, JWT).credential)


def test_a_token_is_not_sent_where_only_an_identifier_points(start: Start):
    server, connection = start(answer(VERSION))
    with client_of(connection, Place("wms.example.org", 7772)) as client, \
            pytest.raises(TokenWithheld, match=rf"not sent to localhost:{connection.port}"):
        client.one_status(f"https://localhost:{connection.port}/AAAAAAAAAAAAAAAAAAAAAA")
    assert server.connections == 0


def test_a_token_is_sent_where_the_configuration_or_the_user_says(start: Start):
    server, connection = start(answer(VERSION), answer(VERSION))
    place = Place("localhost", connection.port)
    with client_of(connection, place) as client:
        client.at(place).call(OPERATIONS["ns.version"])
    with client_of(connection) as client:
        client.at(place, chosen=True).call(OPERATIONS["ns.version"])
    assert len(server.seen) == 2
