"""Requests a second through the HTTPS service once its TLS is done: caller, gate, body, answer, on a kept connection.

In memory, in one thread, by processor time, without a log. The baseline are the same requests to an operation for
anyone, without a credential; n is the number of requests. A fresh token is one that was not seen before: its signature
is verified, its claims are judged.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import Logger
from twisted.python.failure import Failure

from bench.rows import Row, row
from wms.authz.gate import Gate
from wms.callers import Caller
from wms.capability import issue
from wms.config import Settings, parse
from wms.database import Database
from wms.fetch import Answer
from wms.httpd import Call, Factory, Reply, Router
from wms.identity import Identity
from wms.issuers import Issuers
from wms.operations import Empty
from wms.service import Kit

ISSUER = "https://tokens.example.org/dteam"
ROUNDS, ANYONE = 10, "anyone"
NOW, SECRET = 1_800_000_000.0, b"s" * 32
ALICE = Identity("/DC=org/DC=example/CN=alice", not_after=2 * NOW, fqans=("/dteam",), vo="dteam")
VERSION, DELEGATIONS, ATTEMPT = "/ns/v1/version", "/ns/v1/delegations", "/ns/v1/attempts/j1/1/token"
KEYS: Mapping[str, Any] = {"ES256": ec.generate_private_key(ec.SECP256R1()),
                           "RS256": rsa.generate_private_key(65537, 2048)}


class Service:
    """NS without anything behind it, the policy that is built in, an issuer that answers at once."""

    def __init__(self, clock: Any) -> None:
        settings = parse(f"tokens: {{issuers: {{'{ISSUER}': {{vo: dteam}}}}}}")
        database = Database("sqlite://", None, inline=True)
        self.kit = Kit(settings, database, clock, Random(1), {}, Logger(), "wms.example.org", ("lb.example.org", 9000),
                       SECRET)
        self.clock = clock
        self.issuers = Issuers(self.kit, self._fetch)
        gate = Gate(Settings(), clock, self.kit.log)
        self.router = Router(clock, self.kit.log, SECRET, 1_000_000, gate=gate, tokens=self.issuers)
        self.router.mount({f"ns.{name}": self._handle for name in ("version", "delegations", "attempt_token")})
        self.answered = 0

    async def _handle(self, _call: Call) -> Reply:
        self.answered += 1
        return Empty()

    async def _fetch(self, method: str, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        if url.endswith("/jwks"):
            kinds: dict[str, Any] = {name: jwt.get_algorithm_by_name(name) for name in KEYS}
            keys = [kinds[name].to_jwk(KEYS[name].public_key(), as_dict=True) | {"kid": name, "key_ops": ["verify"]}
                    for name in KEYS]
            return Answer(200, json.dumps({"keys": keys}).encode())
        return Answer(200, json.dumps({"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}).encode())

    def seconds(self, path: str, tokens: Sequence[str], user: Identity | None = None) -> float:
        """Processor time of one request for each token (empty: without one)."""
        channel: Any = Factory(self.router, self.clock).buildProtocol(None)
        transport: Any = StringTransport()
        transport.wms_caller = Caller(user)
        channel.makeConnection(transport)
        requests = [_request(path, token) for token in tokens]
        before, began = self.answered, time.process_time()
        for request in requests:
            channel.dataReceived(request)
            transport.clear()
        spent = time.process_time() - began
        if self.answered - before != len(tokens):
            raise AssertionError(f"{self.answered - before} of {len(tokens)} requests were answered")
        channel.connectionLost(Failure(ConnectionDone()))
        return spent


def _request(path: str, token: str) -> bytes:
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: wms.example.org\r\n{bearer}\r\n".encode()


def minted(algorithm: str, number: int) -> list[str]:
    """Different tokens of one user."""
    claims = {"iss": ISSUER, "sub": "alice", "aud": "https://wlcg.cern.ch/jwt/v1/any", "iat": NOW, "exp": 2 * NOW,
              "wlcg.ver": "1.3", "scope": "compute.read compute.create compute.modify compute.cancel",
              "wlcg.groups": ["/dteam", "/dteam/pilots"]}
    sign = partial(jwt.encode, key=KEYS[algorithm], algorithm=algorithm, headers={"kid": algorithm})
    return [sign(claims | {"jti": f"j{n}"}) for n in range(number)]


def run(n: int = 10_000) -> list[Row]:
    """Each way of being known, in rounds beside the baseline; fresh tokens are fewer: somebody must sign them first."""
    clock = Clock()
    clock.advance(NOW)
    service, portion, few = Service(clock), n // ROUNDS, n // ROUNDS // 10
    known = minted("ES256", 1) * portion
    capability = [issue(SECRET, "https://lb.example.org:9000/j1", 1, 2 * NOW)] * portion
    fresh = {name: minted(name, few * (ROUNDS + 1)) for name in KEYS}
    spent: dict[str, float] = {}
    for number in range(ROUNDS + 1):
        ways: dict[str, tuple[str, Sequence[str], Identity | None]] = {
            ANYONE: (VERSION, [""] * portion, None),
            "token, known": (DELEGATIONS, known, None),
            "certificate": (DELEGATIONS, [""] * portion, ALICE),
            "capability": (ATTEMPT, capability, None),
            **{f"token, fresh ({name})": (DELEGATIONS, fresh[name][number * few:(number + 1) * few], None)
               for name in KEYS}}
        for way, given in ways.items():
            spent[way] = (spent[way] if number > 1 else 0.0) + service.seconds(*given) / len(given[1])
    service.kit.database.close()
    anyone = ROUNDS / spent.pop(ANYONE)
    return [row(f"authorised by {way}", n // 10 if "fresh" in way else n, ROUNDS / seconds, "requests/s", anyone)
            for way, seconds in spent.items()]
