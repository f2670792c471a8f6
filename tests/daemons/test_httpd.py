"""The HTTPS service on a connection in memory: routing, bodies, rights, errors, and clients that misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import task
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock, Cooperator
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms.callers import Caller
from wms.capability import issue
from wms.errors import NoSuchJob
from wms.httpd import IDLE_TIMEOUT_S, MAX_JSON_BYTES, Call, Factory, FileReply, Page, Reply, Router, served_paths
from wms.identity import Identity
from wms.operations import Empty, JobIds, RegisterRequest, Version
from wms.operations.jobs import REGISTER_BYTES
from wms.streaming import STALLED_S, StreamReply

SECRET = b"s" * 32
ALICE = Identity(dn="/CN=alice", ca_dn="/CN=ca", fqans=(), limited=False, not_after=1e6, chain_length=1)
MAX_UPLOAD = REGISTER_BYTES + 1000
START = {"nonce": "n", "node": "wn1", "sequence_code": "UI=000001"}
KEY = {"Idempotency-Key": "12345678"}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Service:
    """One router with a handler for each operation used here; `calls` are those that reached a handler."""

    clock: Clock
    calls: list[Call] = field(default_factory=list)
    logged: list[Any] = field(default_factory=list)
    replies: dict[str, Callable[[Call], Awaitable[Reply]]] = field(default_factory=dict)
    transports: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.router = Router(self.clock, Logger(observer=self.logged.append), SECRET, MAX_UPLOAD)
        names = ("version", "register", "upload", "output", "cancel", "attempt_start", "attempt_done",
                 "request_delegation", "put_delegation")
        self.router.mount({f"ns.{name}": self._handle for name in names})
        self.router.mount({"lb.statuses": self._handle, "lb.page": self._handle, "lb.status": self._handle})

    async def _handle(self, call: Call) -> Reply:
        self.calls.append(call)
        reply = self.replies.get(call.operation.name)
        return Empty() if reply is None else await reply(call)

    def connect(self, user: Identity | None = ALICE) -> Any:
        channel = Factory(self.router, self.clock).buildProtocol(None)
        assert channel is not None
        transport: Any = StringTransport()
        if user is not None:
            transport.wms_caller = Caller(user)
        self.transports.append((channel, transport))
        channel.makeConnection(transport)
        return channel, transport

    def raw(self, data: bytes, user: Identity | None = ALICE) -> bytes:
        """All that comes back for these bytes on a new connection."""
        channel, transport = self.connect(user)
        channel.dataReceived(data)
        value: bytes = transport.value()
        return value

    def ask(self, method: str, path: str, body: bytes | object = b"", headers: dict[str, str] | None = None,
            user: Identity | None = ALICE) -> Answer:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return parsed(self.raw(request(method, path, content, headers or {}), user))

    def incidents(self) -> list[Any]:
        return [event for event in self.logged if event["log_level"].name == "critical"]

    def close(self) -> None:
        for channel, _transport in self.transports:
            channel.connectionLost(Failure(ConnectionDone()))
        assert self.clock.getDelayedCalls() == []


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: wms", f"Content-Length: {len(body)}",
             *(f"{name}: {value}" for name, value in (headers or {}).items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def parsed(data: bytes) -> Answer:
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Answer(int(first.split()[1]), headers, body)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """Files are sent a piece at each turn of the test's clock."""
    made = Service(Clock())
    monkeypatch.setattr(task, "_theCooperator",
                        Cooperator(lambda: lambda: True, lambda call: made.clock.callLater(1, call)))
    yield made
    made.close()


def replying(reply: Reply) -> Callable[[Call], Awaitable[Reply]]:
    async def handle(_call: Call) -> Reply:
        return reply

    return handle


def failing(error: BaseException) -> Callable[[Call], Awaitable[Reply]]:
    async def handle(_call: Call) -> Reply:
        raise error

    return handle


# -- routing -----------------------------------------------------------------------------------------------


def test_a_reply_is_json_with_its_length(service: Service) -> None:
    service.replies["ns.version"] = replying(Version("1.0", "wms"))
    answer = service.ask("GET", "/ns/v1/version", user=None)
    assert (answer.status, answer.record) == (200, {"version": "1.0", "server": "wms"})
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(answer.body))
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_path_parameters_are_decoded_once_and_hold_no_slash_of_the_path(service: Service) -> None:
    service.ask("PUT", "/ns/v1/jobs/j1/input/a%20b%2Fc%252e", b"x")
    assert service.calls[0].params == {"unique": "j1", "name": "a b/c%2e"}
    assert service.ask("PUT", "/ns/v1/jobs/j1/input/a/b", b"x").status == 404


def test_a_query_is_passed_with_its_last_values(service: Service) -> None:
    service.ask("GET", "/lb/v1/jobs/j1?wait_s=1&wait_s=2&newer_than=%C3%A9")
    assert service.calls[0].query == {"wait_s": "2", "newer_than": "é"}


@pytest.mark.parametrize("path", ["/", "/ns/v1/nothing", "/ns/v1/jobs/", "/ns/v1/jobs//input/x", "/NS/v1/version",
                                  "http://wms/ns/v1/version", "*", "/ns/v1/delegations/a%00b"])
def test_what_is_not_there_is_404(service: Service, path: str) -> None:
    answer = service.ask("GET", path)
    assert (answer.status, answer.record["code"]) == (404, "NS_NOT_FOUND")
    assert service.calls == []


@pytest.mark.parametrize(("method", "path", "allow"), [
    ("DELETE", "/ns/v1/version", "GET"), ("GET", "/ns/v1/jobs", "POST"), ("HEAD", "/ns/v1/jobs", "POST"),
    ("HEAD", "/ns/v1/jobs/j1/input/x", "PUT"), ("GET", "/ns/v1/delegations/d", "POST, PUT")])
def test_another_method_is_405_and_says_which(service: Service, method: str, path: str, allow: str) -> None:
    answer = service.ask(method, path, headers=KEY)
    assert (answer.status, answer.headers["allow"]) == (405, allow)
    assert service.calls == []


def test_head_is_get_without_the_body(service: Service, tmp_path: Path) -> None:
    service.replies["lb.page"] = replying(Page(b"<p>x</p>"))
    (tmp_path / "f").write_bytes(b"12345")
    service.replies["ns.output"] = replying(FileReply(str(tmp_path / "f"), 5, "00ff"))
    for path, length in (("/j1", "8"), ("/ns/v1/jobs/j1/output/x", "5")):
        answer = service.ask("HEAD", path)
        assert (answer.status, answer.headers["content-length"], answer.body) == (200, length, b"")


def test_a_page_has_its_type_and_status(service: Service) -> None:
    service.replies["lb.page"] = replying(Page(b"gone", "text/plain", 410))
    answer = service.ask("GET", "/j1")
    assert (answer.status, answer.headers["content-type"], answer.body) == (410, "text/plain", b"gone")


def test_requests_follow_each_other_on_one_connection(service: Service) -> None:
    both = service.raw(request("GET", "/ns/v1/version") * 2)
    assert both.count(b"HTTP/1.1 200 OK") == 2
    assert service.router.served == 2


def test_what_is_mounted_can_be_listed(service: Service) -> None:
    assert "PUT /ns/v1/jobs/{unique}/input/{name}" in served_paths(service.router.routes)


# -- bodies ------------------------------------------------------------------------------------------------


def test_a_body_becomes_its_record_and_unknown_fields_are_for_newer_servers(service: Service) -> None:
    service.ask("POST", "/ns/v1/jobs", {"jdl": "[]", "delegation": "d", "invented_later": [1]}, KEY)
    assert service.calls[0].body == RegisterRequest("[]", "d")
    assert service.calls[0].key == KEY["Idempotency-Key"]


@pytest.mark.parametrize(("body", "says"), [
    (b"{", "truncated"), (b"[]", "object"), (b'{"jdl": 1, "delegation": ""}', "$.jdl"), (b"", "jdl"),
    (b'{"jdl": "\xff", "delegation": ""}', ""), (b'{"jdl": "", "delegation": "", "x": ' + b"[" * 100_000, "")])
def test_a_bad_body_is_refused_with_its_place(service: Service, body: bytes, says: str) -> None:
    answer = service.ask("POST", "/ns/v1/jobs", body, KEY)
    assert (answer.status, answer.record["code"]) == (400, "UI_ARG_MISMATCH")
    assert says in answer.record["message"]
    assert service.calls == []
    assert service.incidents() == []


def test_an_empty_body_is_an_empty_record_where_every_field_has_a_default(service: Service) -> None:
    token = issue(SECRET, "https://lb:9000/j1", 1, 100)
    answer = service.ask("POST", "/ns/v1/attempts/j1/1/done", headers={"Authorization": f"Bearer {token}"}, user=None)
    assert answer.status == 200


def test_an_upload_is_open_and_counted(service: Service) -> None:
    seen: list[bytes] = []

    async def handle(call: Call) -> Reply:
        seen.append(call.content.read())
        return Empty()

    service.replies["ns.upload"] = handle
    content = bytes(range(256)) * 1000
    assert service.ask("PUT", "/ns/v1/jobs/j1/input/x", content, {"Digest": "sha-256=0"}).status == 200
    assert (seen, service.calls[0].length, service.calls[0].digest) == ([content], len(content), "sha-256=0")


@pytest.mark.parametrize("key", [None, "short", "x" * 129, "has blank in it", "é" * 9])
def test_an_idempotency_key_is_demanded(service: Service, key: str | None) -> None:
    answer = service.ask("POST", "/ns/v1/jobs/j1/cancel", headers={} if key is None else {"Idempotency-Key": key})
    assert (answer.status, "Idempotency-Key" in answer.record["message"]) == (400, True)
    assert answer.record["hint"]
    assert service.calls == []


# -- limits ------------------------------------------------------------------------------------------------


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def test_a_body_announced_too_long_is_refused_before_it_comes(service: Service) -> None:
    channel, transport = service.connect()
    channel.dataReceived(b"PUT /ns/v1/jobs/j1/input/x HTTP/1.1\r\nHost: wms\r\nExpect: 100-continue\r\n"
                         b"Content-Length: %d\r\n\r\n" % (MAX_UPLOAD + 1))
    answer = parsed(transport.value())
    assert (answer.status, answer.record["code"]) == (413, "NS_SANDBOX_TOO_LARGE")
    assert answer.record["details"] == {"limit": MAX_UPLOAD}
    assert transport.disconnecting
    assert b"100 Continue" not in transport.value()
    said = transport.value()
    channel.dataReceived(b"x" * (MAX_UPLOAD + 1))
    assert (service.calls, transport.value()) == ([], said), "what still comes is not looked at"


def test_a_body_in_chunks_is_refused_at_the_limit_and_cut_off(service: Service) -> None:
    channel, transport = service.connect()
    channel.dataReceived(b"PUT /ns/v1/jobs/j1/input/x HTTP/1.1\r\nHost: wms\r\nTransfer-Encoding: chunked\r\n\r\n")
    piece = chunk(b"x" * 10_000_000)
    for _ in range(REGISTER_BYTES // 10_000_000):
        channel.dataReceived(piece)
    assert transport.value() == b""
    channel.dataReceived(piece)
    answer = parsed(transport.value())
    assert (answer.status, answer.record["code"], transport.disconnecting) == (413, "NS_SANDBOX_TOO_LARGE", True)
    channel.dataReceived(piece + b"0\r\n\r\n")
    assert transport.value().count(b"HTTP/1.1") == 1
    assert service.calls == []


def test_a_record_has_a_smaller_limit_than_a_file(service: Service) -> None:
    large = b" " * (MAX_JSON_BYTES + 1)
    assert service.ask("PUT", "/ns/v1/jobs/j1/input/x", large).status == 200
    answer = service.ask("POST", "/lb/v1/statuses", large)
    assert (answer.status, answer.record["details"]) == (413, {"limit": MAX_JSON_BYTES})


def test_only_a_registration_may_be_longer_than_other_records(service: Service) -> None:
    assert service.ask("POST", "/ns/v1/jobs", b" " * (MAX_JSON_BYTES + 1), KEY).status == 400
    answer = service.ask("POST", "/ns/v1/jobs", b" " * (REGISTER_BYTES + 1), KEY)
    assert (answer.status, answer.record["details"]) == (413, {"limit": REGISTER_BYTES})


def test_a_silent_client_is_hung_up_on_but_not_while_it_waits_for_us(service: Service) -> None:
    channel, transport = service.connect()
    service.clock.advance(IDLE_TIMEOUT_S)
    assert transport.disconnecting
    waiting: Deferred[Reply] = Deferred()

    async def handle(_call: Call) -> Reply:
        return await waiting

    service.replies["ns.version"] = handle
    channel, transport = service.connect()
    channel.dataReceived(request("GET", "/ns/v1/version"))
    service.clock.advance(10 * IDLE_TIMEOUT_S)
    assert not transport.disconnecting
    waiting.callback(Empty())
    assert parsed(transport.value()).status == 200


# -- rights ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("method", "path"), [("POST", "/ns/v1/jobs"), ("PUT", "/ns/v1/jobs/j1/input/x"),
                                              ("POST", "/lb/v1/statuses")])
def test_who_shows_no_certificate_is_401(service: Service, method: str, path: str) -> None:
    answer = service.ask(method, path, headers=KEY, user=None)
    assert (answer.status, answer.record["code"]) == (401, "NS_AUTHENTICATION")
    assert answer.record["hint"]
    assert service.calls == []


def test_a_reader_without_certificate_reaches_the_handler_which_decides(service: Service) -> None:
    async def handle(call: Call) -> Reply:
        return {"dn": call.user.dn}

    service.replies["lb.status"] = handle
    assert service.ask("GET", "/lb/v1/jobs/j1").record == {"dn": "/CN=alice"}
    assert service.ask("GET", "/lb/v1/jobs/j1", user=None).status == 401


def test_a_certificate_that_ended_since_the_handshake_is_none(service: Service) -> None:
    service.clock.advance(ALICE.not_after)
    assert service.ask("POST", "/lb/v1/statuses", {"jobs": []}).status == 401


GOOD = issue(SECRET, "https://lb:9000/j1", 2, 100.0)


@pytest.mark.parametrize(("header", "path", "status"), [
    (f"Bearer {GOOD}", "j1/2", 200), (f"bearer  {GOOD} ", "j1/2", 200),
    (f"Bearer {GOOD}", "j2/2", 403), (f"Bearer {GOOD}", "j1/3", 403), (f"Bearer {GOOD}", "j1/02", 403),
    ("", "j1/2", 401), ("Bearer", "j1/2", 401), ("Bearer x", "j1/2", 401), (f"Basic {GOOD}", "j1/2", 401),
    (f"Bearer {issue(b'x' * 32, 'https://lb:9000/j1', 2, 100.0)}", "j1/2", 401),
    (f"Bearer {issue(SECRET, 'https://lb:9000/j1', 2, 0.0)}", "j1/2", 401)])
def test_a_wrapper_acts_only_for_its_own_attempt_in_its_time(service: Service, header: str, path: str,
                                                            status: int) -> None:
    headers = {"Authorization": header} if header else {}
    answer = service.ask("POST", f"/ns/v1/attempts/{path}/start", START, headers)
    assert answer.status == status
    assert len(service.calls) == (status == 200)


def test_a_capability_names_the_caller(service: Service) -> None:
    service.ask("POST", "/ns/v1/attempts/j1/2/start", START, {"Authorization": f"Bearer {GOOD}"}, user=None)
    (call,) = service.calls
    assert call.capability is not None
    assert (call.capability.job, call.capability.attempt, call.identity) == ("https://lb:9000/j1", 2, None)
    assert service.logged[-1]["user"] == "https://lb:9000/j1"


# -- errors ------------------------------------------------------------------------------------------------


def test_an_error_carries_code_message_hint_and_details(service: Service) -> None:
    service.replies["lb.status"] = failing(NoSuchJob("There is no job j1.", hint="Look again.", job="j1"))
    answer = service.ask("GET", "/lb/v1/jobs/j1")
    assert (answer.status, answer.record) == (404, {
        "code": "NS_NO_SUCH_JOB", "message": "There is no job j1.", "hint": "Look again.", "details": {"job": "j1"}})
    assert service.logged[-1]["error"] == "NS_NO_SUCH_JOB"


@pytest.mark.parametrize("error", [ValueError("secret word"), CancelledError("secret word")])
def test_a_bug_is_500_with_an_incident_number_and_no_traceback(service: Service, error: Exception) -> None:
    service.replies["lb.status"] = failing(error)
    answer = service.ask("GET", "/lb/v1/jobs/j1")
    assert (answer.status, answer.record["code"]) == (500, "WMS_ERROR")
    (logged,) = service.incidents()
    assert answer.record["details"] == {"incident": logged["incident"]}
    assert b"secret word" not in answer.body
    assert b"Traceback" not in answer.body
    assert service.ask("GET", "/ns/v1/version").status == 200


def test_a_file_is_sent_with_its_digest(service: Service, tmp_path: Path) -> None:
    content = bytes(range(256)) * 1000
    (tmp_path / "f").write_bytes(content)
    service.replies["ns.output"] = replying(FileReply(str(tmp_path / "f"), len(content), "00ff"))
    channel, transport = service.connect()
    channel.dataReceived(request("GET", "/ns/v1/jobs/j1/output/x"))
    service.clock.pump([1] * 100)
    answer = parsed(transport.value())
    assert (answer.status, answer.body) == (200, content)
    assert answer.headers["digest"] == "sha-256=00ff"
    assert answer.headers["content-type"] == "application/octet-stream"


def test_a_file_that_is_not_there_is_an_incident_with_its_own_headers(service: Service, tmp_path: Path) -> None:
    service.replies["ns.output"] = replying(FileReply(str(tmp_path / "none"), 5, "00ff"))
    answer = service.ask("GET", "/ns/v1/jobs/j1/output/x")
    assert (answer.status, answer.headers["content-type"]) == (500, "application/json")
    assert "digest" not in answer.headers


# -- clients that leave ------------------------------------------------------------------------------------


def leave(channel: Any) -> None:
    channel.connectionLost(Failure(ConnectionDone()))


def test_a_client_that_leaves_cancels_its_handler(service: Service) -> None:
    cancelled: list[Any] = []

    async def handle(_call: Call) -> Reply:
        return await Deferred(cancelled.append)

    service.replies["lb.status"] = handle
    channel, _transport = service.connect()
    channel.dataReceived(request("GET", "/lb/v1/jobs/j1"))
    leave(channel)
    assert len(cancelled) == 1
    assert service.incidents() == []


def test_a_handler_that_ignores_its_cancellation_answers_nobody(service: Service) -> None:
    async def handle(_call: Call) -> Reply:
        try:
            return await Deferred()
        except CancelledError:
            return Empty()

    service.replies["lb.status"] = handle
    channel, transport = service.connect()
    channel.dataReceived(request("GET", "/lb/v1/jobs/j1"))
    leave(channel)
    assert (transport.value(), service.incidents()) == (b"", [])


def test_a_client_that_leaves_during_a_download_is_no_incident(service: Service, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 10_000_000)
    service.replies["ns.output"] = replying(FileReply(str(tmp_path / "f"), 10_000_000))
    channel, transport = service.connect()
    channel.dataReceived(request("GET", "/ns/v1/jobs/j1/output/x"))
    service.clock.pump([1] * 3)
    assert 0 < len(transport.value()) < 10_000_000
    transport.producer.stopProducing()
    leave(channel)
    service.clock.pump([1] * 3)
    assert service.incidents() == []


# -- smuggling ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [
    b"Content-Length: 2\r\nContent-Length: 2", b"Content-Length: 2\r\nContent-Length: 40",
    b"Content-Length: 2\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: chunked\r\nContent-Length: 2",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Content-Length: +2", b"Content-Length: -2", b"Content-Length: 0x2", b"Content-Length: 2,2",
    b"Content-Length : 2", b"X: a\rb\r\nContent-Length: 2", b"X: a\nTransfer-Encoding: chunked\r\nContent-Length: 2",
    b"X: a\x00b\r\nContent-Length: 2", b"no colon\r\nContent-Length: 2"])
def test_a_request_whose_end_can_be_doubted_is_refused(service: Service, headers: bytes) -> None:
    back = service.raw(b"POST /lb/v1/statuses HTTP/1.1\r\nHost: wms\r\n" + headers + b"\r\n\r\n{}"
                       b"GET /ns/v1/version HTTP/1.1\r\nHost: wms\r\n\r\n")
    assert back.startswith(b"HTTP/1.1 400 ")
    assert back.count(b"HTTP/1.1") == 1
    assert service.transports[-1][1].disconnecting
    assert service.calls == []


@pytest.mark.parametrize("headers", [b"X" * 20_000 + b": y", (b"X: " + b"y" * 1000 + b"\r\n") * 20,
                                     b"X: y\r\n" * 600])
def test_headers_without_end_are_not_kept(service: Service, headers: bytes) -> None:
    back = service.raw(b"GET /ns/v1/version HTTP/1.1\r\n" + headers + b"\r\n\r\n")
    assert not back.startswith(b"HTTP/1.1 200")
    assert service.transports[-1][1].disconnecting
    assert service.calls == []


def test_line_ends_in_a_path_never_become_headers(service: Service) -> None:
    async def handle(call: Call) -> Reply:
        raise NoSuchJob(f"There is no {call.params['unique']}.")

    service.replies["lb.page"] = handle
    answer = service.ask("GET", "/x%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a")
    assert answer.status == 404
    assert "set-cookie" not in answer.headers
    assert answer.record["message"] == "There is no x\r\nSet-Cookie: a=b\r\n\r\n."


def test_statuses_are_records(service: Service) -> None:
    service.ask("POST", "/lb/v1/statuses", {"jobs": ["a", "b"]})
    assert service.calls[0].body == JobIds(("a", "b"))


# -- replies that grow -------------------------------------------------------------------------------------


@dataclass
class Pieces:
    """A source of pieces: each `give` lets one go; `closed` when nobody wants more."""

    asked: int = 0
    closed: bool = False
    _wanted: Deferred[bytes] | None = None

    async def flow(self) -> AsyncGenerator[bytes, None]:
        try:
            while True:
                self.asked += 1
                self._wanted = Deferred()
                piece = await self._wanted
                if not piece:
                    return
                yield piece
        finally:
            self.closed = True

    def give(self, piece: bytes) -> None:
        wanted, self._wanted = self._wanted, None
        assert wanted is not None
        wanted.callback(piece)


def growing(service: Service) -> tuple[Pieces, Any, Any]:
    pieces = Pieces()
    service.replies["ns.version"] = replying(StreamReply(pieces.flow(), "text/event-stream"))
    channel, transport = service.connect()
    channel.dataReceived(request("GET", "/ns/v1/version"))
    return pieces, channel, transport


def test_a_stream_is_sent_piece_by_piece_and_ends(service: Service) -> None:
    pieces, _channel, transport = growing(service)
    head = transport.value()
    assert b"200 OK" in head
    assert b"text/event-stream" in head
    assert b"chunked" in head.lower()
    pieces.give(b"one")
    assert transport.value().endswith(b"3\r\none\r\n")
    pieces.give(b"two")
    pieces.give(b"")
    assert transport.value().endswith(b"3\r\ntwo\r\n0\r\n\r\n")
    assert pieces.closed


def test_a_reader_who_does_not_keep_up_is_given_no_more_until_he_does(service: Service) -> None:
    pieces, _channel, transport = growing(service)
    transport.producer.pauseProducing()
    pieces.give(b"one")
    assert pieces.asked == 1
    transport.producer.resumeProducing()
    assert pieces.asked == 2
    pieces.give(b"")


def test_a_reader_who_takes_nothing_for_long_is_left(service: Service) -> None:
    pieces, _channel, transport = growing(service)
    transport.producer.pauseProducing()
    pieces.give(b"one")
    service.clock.advance(STALLED_S)
    assert transport.disconnected
    assert pieces.closed
    assert service.incidents() == []


def test_a_reader_who_leaves_closes_the_source(service: Service) -> None:
    pieces, channel, _transport = growing(service)
    channel.connectionLost(Failure(ConnectionDone()))
    assert pieces.closed
    assert service.incidents() == []


@pytest.mark.parametrize("origin", ["https://example.org", "https://wms.example.org", "http://wms", "null", "https://wms:1"])
def test_pages_of_other_sites_may_read_but_not_act(service: Service, origin: str):
    answer = service.ask("POST", "/lb/v1/statuses", {"jobs": []}, {"Origin": origin})
    assert (answer.status, answer.record["code"]) == (403, "NS_FOREIGN_PAGE")
    assert service.ask("GET", "/ns/v1/version", headers={"Origin": origin}).status == 200
    assert service.ask("POST", "/lb/v1/statuses", {"jobs": []}, {"Origin": "https://wms"}).status == 200
