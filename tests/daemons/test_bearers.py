"""Requests that bear a token, on connections in memory: the token counts, a bad one is told as RFC 6750 says."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from issuer_line import Line
from shell import Shell, result
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from tests.issuer import Issuer
from wms.callers import Caller
from wms.capability import issue
from wms.httpd import Call, Factory, Reply, Router
from wms.identity import Identity
from wms.issuers import Issuers
from wms.operations import Empty
from wms.x509.authority import make_authority

AUTHORITY = make_authority(time.time(), serial=1, kind="ec")
ALICE = Identity("/CN=alice", not_after=4e9)
SECRET = b"s" * 32
KEY = "Idempotency-Key: 12345678\r\n"


@dataclass
class Server:
    """NS with handlers that note who called. `ask` is one request on a connection of its own."""

    issuer: Issuer
    shell: Shell
    line: Line
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        clock = self.shell.clock
        self.issuers = Issuers(self.shell.kit(), self.line)
        self.router = Router(clock, Logger(observer=self.shell.logged.append), SECRET, 1000, tokens=self.issuers)
        names = ("version", "delegations", "cancel", "attempt_start")
        self.router.mount({f"ns.{name}": self._handle for name in names})

    async def _handle(self, call: Call) -> Reply:
        self.calls.append(call)
        return Empty()

    def ask(self, token: str = "", user: Identity | None = None, path: str = "GET /ns/v1/delegations",
            headers: str = "") -> tuple[int, dict[str, Any], dict[str, str]]:
        channel: Any = Factory(self.router, self.shell.clock).buildProtocol(None)
        transport: Any = StringTransport()
        transport.wms_caller = Caller(user)
        channel.makeConnection(transport)
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        request = f"{path} HTTP/1.1\r\nHost: wms\r\n{bearer}{headers}Content-Length: 0\r\n\r\n"
        channel.dataReceived(request.encode("latin-1"))
        channel.connectionLost(Failure(ConnectionDone()))
        head, _, body = transport.value().partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        named = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        return int(first.split()[1]), json.loads(body), named

    @property
    def caller(self) -> Identity | None:
        return self.calls[-1].identity


@pytest.fixture
def server() -> Iterator[Server]:
    with Issuer(AUTHORITY) as issuer:
        shell = Shell(settings=f"tokens: {{issuers: {{'{issuer.url}': {{vo: dteam}}}}}}")
        shell.clock.advance(1_800_000_000)
        issuer.clock = shell.clock.seconds
        made = Server(issuer, shell, Line(issuer, shell))
        yield made
        result(made.issuers.stop())
        shell.close()


def test_the_identity_of_the_token_reaches_the_handler(server: Server) -> None:
    status, _, _ = server.ask(server.issuer.mint(sub="bob", **{"wlcg.groups": ["/dteam/x"]}))
    assert status == 200
    assert server.caller is not None
    assert (server.caller.dn, server.caller.groups) == (f"sub:{server.issuer.url}#bob", ("/dteam/x",))
    assert (server.caller.vo, server.caller.kind) == ("dteam", "token")


def test_a_token_counts_before_the_certificate_of_the_connection(server: Server) -> None:
    server.ask(server.issuer.mint(), user=ALICE)
    assert server.caller is not None
    assert server.caller.subject == "alice"
    assert server.calls[-1].chain == ()
    server.ask(user=ALICE)
    assert server.caller == ALICE


def test_requests_of_one_token_ask_the_issuer_nothing(server: Server) -> None:
    token = server.issuer.mint()
    server.ask(token)
    before = dict(server.issuer.requests)
    assert [server.ask(token)[0] for _ in range(5)] == [200] * 5
    assert server.issuer.requests == before


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"exp": 1_700_000_000}, "WMS_TOKEN_EXPIRED"),
    "not yet valid": ({"nbf": 1_900_000_000}, "WMS_TOKEN_NOT_YET_VALID"),
    "for others": ({"aud": "https://other.example.org"}, "WMS_TOKEN_AUDIENCE"),
    "of another issuer": ({"iss": "https://other.example.org"}, "WMS_TOKEN_ISSUER"),
    "of another key": ({"header": {"kid": "x"}}, "WMS_TOKEN_KEY"),
    "of another profile": ({"wlcg.ver": "2.0"}, "WMS_TOKEN_INVALID"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_token_is_401_with_its_code_and_a_challenge_though_the_certificate_is_good(server: Server,
                                                                                         name: str) -> None:
    claims, code = BAD[name]
    token = server.issuer.mint(**claims)
    status, told, headers = server.ask(token, user=ALICE)
    assert (status, told["code"]) == (401, code)
    assert headers["www-authenticate"].startswith('Bearer realm="wms", error="invalid_token", error_description="')
    assert server.calls == []
    assert token not in repr((told, headers, server.shell.logged))
    refused, request = server.shell.logged[-2:]
    assert (refused["code"], request["error"]) == (code, code)
    assert refused["claimed"].startswith("sub:https://")


@pytest.mark.parametrize("path", ["GET /ns/v1/version", "POST /ns/v1/jobs/j1/cancel",
                                  "POST /ns/v1/attempts/j1/1/start"])
@pytest.mark.parametrize("token", ["x", "x.y.z", "..", "wmscap1.x", "é" * 5, "A" * 8000])
def test_garbage_is_401_everywhere(server: Server, path: str, token: str) -> None:
    status, _, headers = server.ask(token, ALICE, path, KEY)
    assert (status, server.calls) == (401, [])
    assert headers["www-authenticate"].startswith("Bearer ")
    assert not [event for event in server.shell.logged if event["log_level"].name == "critical"]


def test_who_shows_nothing_is_told_that_tokens_are_welcome(server: Server) -> None:
    status, told, headers = server.ask()
    assert (status, told["code"], headers["www-authenticate"]) == (401, "NS_AUTHENTICATION", 'Bearer realm="wms"')


@pytest.mark.parametrize("headers", ["Authorization: Bearer {0}\r\nAuthorization: Bearer {0}\r\n",
                                     "Authorization: Basic {0}\r\n", "Authorization: {0}\r\n"])
def test_the_token_comes_in_one_header_of_one_form(server: Server, headers: str) -> None:
    status, told, _ = server.ask(user=ALICE, headers=headers.format(server.issuer.mint()))
    assert (status, told["code"], server.calls) == (401, "NS_AUTHENTICATION", [])


def test_a_token_in_the_url_is_nobody(server: Server) -> None:
    assert server.ask(path=f"GET /ns/v1/delegations?access_token={server.issuer.mint()}")[0] == 401


def test_a_token_of_a_user_is_no_capability_and_a_capability_no_token(server: Server) -> None:
    assert server.ask(server.issuer.mint(), path="POST /ns/v1/attempts/j1/1/start")[0] == 401
    capability = issue(SECRET, "https://lb:9000/j1", 1, 4e9)
    assert server.ask(capability)[0] == 403
    assert server.calls == []


def test_an_issuer_that_does_not_answer_is_503_and_no_401(server: Server) -> None:
    server.issuer.status = 500
    status, told, headers = server.ask(server.issuer.mint())
    assert (status, told["code"]) == (503, "NS_NOT_AVAILABLE")
    assert "www-authenticate" not in headers
