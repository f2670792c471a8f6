"""A small HTTPS server in a thread: what a worker node sees of the network server, with faults on demand."""

from __future__ import annotations

import json
import ssl
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BASE = "/ns/v1/attempts/abc/1"
TOKEN = 'token-"of\\one'


def certificate(place: Path) -> tuple[Path, str]:
    """A self-signed certificate for 127.0.0.1: the file with its key, and the PEM a client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.fromtimestamp(1_700_000_000, UTC)
    cert = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(start).not_valid_after(start + timedelta(days=36500))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = cert.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = place / "server.pem"
    file.write_text(private.decode() + pem)
    return file, pem


@dataclass
class Peer:
    """`calls` are all requests in order; `faults[method, path]` are statuses given before the real answer."""

    base_url: str = ""
    ca_pem: str = ""
    inputs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(list))
    calls: list[tuple[str, str, bytes]] = field(default_factory=list)
    connections: set[tuple[str, int]] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)
    nonce: str = ""
    any_input: bytes | None = None
    granted: bytes = b"{}"
    location: str = ""
    on_call: Callable[[], None] = lambda: None

    def forget(self) -> None:
        """As new; address and certificate stay."""
        for record in (self.inputs, self.faults, self.calls, self.connections, self.tokens):
            record.clear()
        self.granted = b"{}"
        self.nonce, self.any_input, self.on_call = "", None, lambda: None

    def outputs(self) -> dict[str, bytes]:
        return {path[len("/output/") :]: body for method, path, body in self.calls if method == "PUT"}

    def outputs_by_name(self) -> dict[str, bytes]:
        return {unquote(name): body for name, body in self.outputs().items()}

    def done(self) -> dict[str, Any]:
        """The outcome, which must have come exactly once."""
        (body,) = [body for _, path, body in self.calls if path == "/done"]
        record: dict[str, Any] = json.loads(body)
        return record

    def names(self) -> list[str]:
        return [f"{method} {path}" for method, path, _ in self.calls]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.on_call()
        self.calls.append((method, path, body))
        if self.faults[method, path]:
            return self.faults[method, path].pop(0), b"no"
        if method == "GET":
            content = self.any_input or self.inputs.get(path.removeprefix("/input/"))
            return (404, b"") if content is None else (200, content)
        if path == "/start":
            nonce = json.loads(body)["nonce"]
            self.nonce = self.nonce or nonce
            return (200 if nonce == self.nonce else 409), self.granted
        return 200, b"{}"


def handler(peer: Peer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def serve(self) -> None:
            peer.connections.add(self.client_address)
            peer.tokens.add(self.headers.get("Authorization", ""))
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = peer.answer(self.command, self.path.removeprefix(BASE), body)
            if status == 0:
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            if status == 307:
                self.send_header("Location", peer.location)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_MKCOL = serve

        def log_message(self, *args: object) -> None:
            pass

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of the tests."""


def serve(place: Path, peer: Peer) -> Server:
    file, peer.ca_pem = certificate(place)
    server = Server(("127.0.0.1", 0), handler(peer))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    peer.base_url = f"https://127.0.0.1:{server.server_port}{BASE}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    return server
