"""ARC with access tokens, against a small HTTPS server: to ARC 6.17 a token that it cannot check is none."""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from reactor_thread import run, started

from wms.ce import Backend, CeJob, Phase, Rejected, Submitted, load
from wms.errors import Unavailable
from wms.faults import Fault, judge
from wms.x509.authority import host_certificate, make_authority, trust_files


def token(expires: float) -> bytes:
    """Of the WLCG profile, signed by nobody."""
    claims = {"iss": "https://issuer.example.org", "sub": "alice", "aud": "any", "exp": expires, "iat": 1.0, "jti": "x",
              "wlcg.ver": "1.0"}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256"}, claims)] + [b"signature"]
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)


@dataclass
class Peer:
    """What came, and what is answered to everything; `answers` by the beginning of method and path."""

    url: str = ""
    came: list[tuple[str, str, str]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    answers: dict[str, Any] = field(default_factory=dict)


def handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.removeprefix("/arex/rest/1.0")
            peer.came.append((self.command, path, self.headers.get("Authorization", "")))
            peer.bodies[path] = body
            found = [a for start, a in peer.answers.items() if f"{self.command} {path}".startswith(start)]
            content = json.dumps(found[0]).encode() if found else b""
            begun = self.command != "GET" or "/session/" not in path
            self.send_response(peer.status if begun else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = answer

        def log_message(self, format: str, *args: Any) -> None: ...

    return Handler


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[Peer]:
    now, found = time.time(), Peer()
    authority = make_authority(now, serial=1)
    host = host_certificate(authority, ["localhost"], now, serial=2)
    (tmp_path / "ca").mkdir()
    for name, content in trust_files(authority.certificate).items():
        (tmp_path / "ca" / name).write_bytes(content)
    (tmp_path / "host.pem").write_bytes(host.certificate + host.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "host.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(found))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    found.url = f"https://localhost:{server.server_address[1]}/arex"
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def ce(peer: Peer, tmp_path: Path) -> Iterator[Backend]:
    made = load("arc")({"backend": "arc", "url": peer.url, "spool": str(tmp_path / "spool"), "host": "wms.example.org",
                        "ca_dir": str(tmp_path / "ca"), "fresh_s": 0, "answer_s": 5}, started())
    run(made.start())
    yield made
    run(made.stop())


def job(bearer: bytes) -> CeJob:
    return CeJob("one", "https://wms.example.org:9000/one", "#!/bin/sh\n", "long", bearer=bearer)


CREATED = {"POST /jobs?action=new": {"job": {"status-code": "201", "id": "abc", "state": "ACCEPTING"}},
           "POST /jobs?action=status": {"job": {"status-code": "200", "reason": "OK", "id": "abc", "state": "RUNNING"}}}


def test_a_token_is_shown_in_every_request_and_nothing_is_delegated(ce: Backend, peer: Peer) -> None:
    peer.answers = CREATED
    mine, fresh = token(time.time() + 3600), token(time.time() + 7200)
    assert run(ce.submit([job(mine)])) == [Submitted("one", "abc")]
    assert run(ce.status(["one"]))["one"].phase is Phase.RUNNING
    assert [path for _, path, _ in peer.came] == [
        "/jobs?action=new", "/jobs/abc/session/wms.token", "/jobs/abc/session/wms.wrapper", "/jobs?action=status"]
    assert {shown for _, _, shown in peer.came} == {f"Bearer {mine.decode()}"}
    assert peer.bodies["/jobs/abc/session/wms.token"] == mine
    peer.answers["POST /jobs?action=status"] = {"job": {"status-code": "200", "id": "abc", "state": "QUEUING"}}
    run(ce.renew(["one"], b"", fresh))
    (put,) = [came for came in peer.came if came[1].startswith("/jobs/abc/session/wms.token.")]
    assert put[2] == f"Bearer {fresh.decode()}"


def test_an_old_token_is_not_shown_and_the_job_is_refused_for_it(ce: Backend, peer: Peer) -> None:
    (verdict,) = run(ce.submit([job(token(1000.0))]))
    assert isinstance(verdict, Rejected)
    assert judge(verdict.reason).owner is Fault.CREDENTIAL
    assert peer.came == []


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_admitted_is_refused_for_good(ce: Backend, peer: Peer, status: int) -> None:
    peer.status = status
    (verdict,) = run(ce.submit([job(token(time.time() + 3600))]))
    assert isinstance(verdict, Rejected)
    assert verdict.permanent


@pytest.mark.parametrize(("status", "answers"), [(500, {}), (503, {}), (404, {}), (201, {"POST": {"job": []}}),
                                                 (201, {"POST": "odd"})])
def test_a_service_that_is_not_well_is_away(ce: Backend, peer: Peer, status: int, answers: dict[str, Any]) -> None:
    peer.status, peer.answers = status, answers
    with pytest.raises(Unavailable):
        run(ce.submit([job(token(time.time() + 3600))]))
    peer.status, peer.answers = 200, {**CREATED, "GET /jobs": {}}
    assert run(ce.submit([job(token(time.time() + 3600))])) == [Submitted("one", "abc")]


def test_a_limit_that_is_reached_passes(ce: Backend, peer: Peer) -> None:
    peer.answers = {"POST": {"job": {"status-code": "500", "reason": "No more jobs allowed"}}}
    (verdict,) = run(ce.submit([job(token(time.time() + 3600))]))
    assert type(verdict).__name__ == "Later"
    assert run(ce.known()) == []
