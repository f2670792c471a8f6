"""A token issuer for tests: HTTPS on a port of loopback, real keys and signatures, clients that register nowhere.

In a thread of its own, on the machine's clock unless it is given another. Not careful: everybody may be any client.
"""

from __future__ import annotations

import json
import ssl
import tempfile
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_urlsafe
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, unquote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from wms.x509.authority import Issued, host_certificate

ANY = "https://wlcg.cern.ch/jwt/v1/any"
DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
DISCOVERY = "/.well-known/openid-configuration"
METADATA = "/.well-known/oauth-authorization-server"
JWKS, TOKEN, AUTHORIZE_DEVICE = "/jwks", "/token", "/devicecode"
OVERSIZED = b" " * 9_000_000
Reply = dict[str, Any]


class Denied(Exception):
    """An error of OAuth: its code (RFC 6749, 5.2), and the status."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


@dataclass
class Login:
    """A login at a device: `subject` when somebody has approved it."""

    client_id: str
    scope: str
    subject: str = ""
    denied: bool = False


@dataclass
class Key:
    kid: str
    algorithm: str
    private: Any

    @classmethod
    def make(cls, algorithm: str) -> Key:
        private: Any = ec.generate_private_key(ec.SECP256R1())
        if algorithm.startswith(("RS", "PS")):
            private = rsa.generate_private_key(65537, 2048)
        return cls(token_urlsafe(6), algorithm, private)

    def public(self) -> Reply:
        kind: Any = jwt.get_algorithm_by_name(self.algorithm)
        found: Reply = kind.to_jwk(self.private.public_key(), as_dict=True)
        found.pop("key_ops", None)
        return found | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}


@dataclass
class Issuer:
    """Serves from `start` to `stop`, or as a context manager; `url` is the issuer's name.

    `authority` signs the server's certificate. `secrets` are the confidential clients (id -> secret); any other id is
    a public client. `slows_down`: a device that asks too early is told so. `requests` counts by path. The ways to break
    it: `certified` (its certificate is for this host), `silent` (no answer, the connection hangs), `status` (this HTTP
    status to everybody), `claims_to_be` (another issuer in discovery), `oversized`, `instead` (path -> this body).
    """

    authority: Issued
    algorithm: str = "ES256"
    host: str = "localhost"
    certified: str = ""
    lifetime_s: float = 3600.0
    clock: Callable[[], float] = time.time
    secrets: dict[str, str] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    rotates_refresh: bool = True
    slows_down: bool = False
    silent: bool = False
    status: int = 0
    claims_to_be: str = ""
    oversized: bool = False
    instead: dict[str, bytes] = field(default_factory=dict)
    keys: list[Key] = field(default_factory=list)
    refresh_tokens: dict[str, Reply] = field(default_factory=dict)
    logins: dict[str, Login] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)

    # -- beginning and end ----------------------------------------------------------------------------------

    def start(self) -> None:
        self.rotate()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (_Request,), {"issuer": self}))
        self._server.daemon_threads = True
        self._server.socket = self._context().wrap_socket(self._server.socket, server_side=True,
                                                          do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Issuer:
        self.start()
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None,
                 _trace: TracebackType | None) -> None:
        self.stop()

    def _context(self) -> ssl.SSLContext:
        names = [self.certified] if self.certified else [self.host, "127.0.0.1"]
        made = host_certificate(self.authority, names, time.time(), serial=99, days=2, kind="ec")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "issuer.pem"
            file.write_bytes(made.certificate + made.key)
            context.load_cert_chain(file)
        return context

    @property
    def url(self) -> str:
        return f"https://{self.host}:{self._server.server_address[1]}"

    # -- what tests do --------------------------------------------------------------------------------------

    def mint(self, **claims: Any) -> str:
        """A signed access token of the WLCG profile; a claim that is None is left out, `header` goes into the head."""
        head = {"kid": self.keys[-1].kid, "typ": "at+jwt"} | claims.pop("header", {})
        now = int(self.clock())
        whole = {"iss": self.url, "sub": "alice", "aud": ANY, "iat": now, "nbf": now, "wlcg.ver": "1.3",
                 "exp": now + int(self.lifetime_s), "jti": token_urlsafe(9),
                 "scope": "compute.read compute.modify compute.create compute.cancel"} | claims
        return jwt.encode({name: value for name, value in whole.items() if value is not None},
                          self.keys[-1].private, self.keys[-1].algorithm,
                          {name: value for name, value in head.items() if value is not None})

    def rotate(self, algorithm: str = "", keep: int = 0) -> None:
        """Sign with a new key; of the old ones the last `keep` are published on."""
        self.keys = [*(self.keys[-keep:] if keep else []), Key.make(algorithm or self.algorithm)]

    def approve(self, user_code: str, subject: str = "alice") -> None:
        """Somebody logs in and says yes."""
        self._login(user_code).subject = subject

    def deny(self, user_code: str) -> None:
        self._login(user_code).denied = True

    def revoke(self, refresh_token: str = "") -> None:
        """That refresh token is worthless from now on; without one, all are."""
        for token in [refresh_token] if refresh_token else list(self.refresh_tokens):
            self.refresh_tokens.pop(token, None)

    def grant(self, subject: str = "alice", scope: str = "compute.read offline_access", client_id: str = "") -> Reply:
        """What the token endpoint would answer somebody who has logged in."""
        words = list(dict.fromkeys(scope.split()))
        carried = " ".join(word for word in words if word != "offline_access")
        reply: Reply = {"access_token": self.mint(sub=subject, scope=carried), "token_type": "Bearer",
                        "expires_in": int(self.lifetime_s), "scope": " ".join(words)}
        if "offline_access" in words:
            reply["refresh_token"] = token_urlsafe(24)
            self.refresh_tokens[reply["refresh_token"]] = {"sub": subject, "scope": carried, "client_id": client_id}
        return reply

    def _login(self, user_code: str) -> Login:
        return next(login for device, login in self.logins.items() if _user_code(device) == user_code)

    # -- what it answers ------------------------------------------------------------------------------------

    def discovery(self) -> Reply:
        return {"issuer": self.claims_to_be or self.url, "jwks_uri": self.url + JWKS,
                "token_endpoint": self.url + TOKEN, "device_authorization_endpoint": self.url + AUTHORIZE_DEVICE,
                "grant_types_supported": ["client_credentials", "refresh_token", DEVICE, EXCHANGE]}

    def answer(self, path: str, form: dict[str, str]) -> Reply:
        """The JSON of one request; raises Denied."""
        if path in (DISCOVERY, METADATA):
            return self.discovery()
        if path == JWKS:
            return {"keys": [key.public() for key in self.keys]}
        if path == AUTHORIZE_DEVICE:
            return self._begin_login(form)
        if path != TOKEN:
            raise Denied("not_found", 404)
        grants = {"client_credentials": self._client_credentials, "refresh_token": self._refresh,
                  DEVICE: self._device, EXCHANGE: self._exchange}
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise Denied("unsupported_grant_type")
        if form.get("client_id", "") in self.secrets and self.secrets[form["client_id"]] != form.get("client_secret"):
            raise Denied("invalid_client", 401)
        return grant(form)

    def _begin_login(self, form: dict[str, str]) -> Reply:
        device = token_urlsafe(16)
        self.logins[device] = Login(form.get("client_id", ""), form.get("scope", ""))
        return {"device_code": device, "user_code": _user_code(device), "verification_uri": f"{self.url}/device",
                "verification_uri_complete": f"{self.url}/device?user_code={_user_code(device)}",
                "expires_in": 600, "interval": 1}

    def _device(self, form: dict[str, str]) -> Reply:
        login = self.logins.get(form.get("device_code", ""))
        if login is None:
            raise Denied("expired_token")
        if login.denied:
            raise Denied("access_denied")
        if not login.subject:
            raise Denied("slow_down" if self.slows_down else "authorization_pending")
        del self.logins[form["device_code"]]
        return self.grant(login.subject, login.scope, login.client_id)

    def _client_credentials(self, form: dict[str, str]) -> Reply:
        if form.get("client_id") not in self.secrets:
            raise Denied("invalid_client", 401)
        return self.grant(form["client_id"], form.get("scope", "compute.read"))

    def _refresh(self, form: dict[str, str]) -> Reply:
        given = form.get("refresh_token", "")
        known = self.refresh_tokens.get(given)
        if known is None or known["client_id"] != form.get("client_id", ""):
            raise Denied("invalid_grant")
        scope = form.get("scope") or known["scope"]
        if not self.rotates_refresh:
            return self.grant(known["sub"], scope.replace("offline_access", ""))
        del self.refresh_tokens[given]
        return self.grant(known["sub"], f"{scope} offline_access", known["client_id"])

    def _exchange(self, form: dict[str, str]) -> Reply:
        """RFC 8693: the service swaps a user's access token for one of its own use, with a refresh token."""
        if form.get("client_id") not in self.secrets:
            raise Denied("invalid_client", 401)
        try:
            claims = jwt.decode(form.get("subject_token", ""), self.keys[-1].private.public_key(),
                                [self.keys[-1].algorithm], {"verify_exp": False, "verify_aud": False,
                                                            "verify_nbf": False, "verify_iat": False})
        except jwt.PyJWTError:
            raise Denied("invalid_grant") from None
        scope = form.get("scope", "")
        if not set(scope.split()) - {"offline_access"}:
            scope = f"{claims.get('scope', '')} {scope}"
        reply = self.grant(claims["sub"], scope, form["client_id"])
        return reply | {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}


def _user_code(device: str) -> str:
    return device[:4].upper() + "-" + device[4:8].upper()


class _Request(BaseHTTPRequestHandler):
    """One request; credentials of a client come in the form or in the Authorization header (RFC 6749, 2.3.1)."""

    issuer: Issuer
    protocol_version = "HTTP/1.1"
    timeout = 10

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        form = {name: values[0] for name, values in parse_qs(content.decode()).items()}
        self._serve(form | self._basic())

    def _basic(self) -> dict[str, str]:
        scheme, _, text = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return {}
        name, _, secret = b64decode(text).decode().partition(":")
        return {"client_id": unquote(name), "client_secret": unquote(secret)}

    def _serve(self, form: dict[str, str]) -> None:
        issuer, path = self.issuer, self.path.partition("?")[0]
        issuer.requests[path] += 1
        if issuer.silent:
            issuer._over.wait(60)
            self.close_connection = True
        elif issuer.status:
            self._send(issuer.status, b"broken")
        elif issuer.oversized:
            self._send(200, OVERSIZED)
        elif path in issuer.instead:
            self._send(200, issuer.instead[path])
        else:
            self._answer(path, form)

    def _answer(self, path: str, form: dict[str, str]) -> None:
        try:
            self._send(200, json.dumps(self.issuer.answer(path, form)).encode())
        except Denied as denied:
            self._send(denied.status, json.dumps({"error": denied.code}).encode())

    def _send(self, status: int, body: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""
