"""The service of the gallery: one real process, everybody who comes to it, and all that it remembers."""

from __future__ import annotations

import hashlib
import json
import secrets
import socket
import sqlite3
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

from anchor_builders import crl_bytes, name_of, policy_text
from credential_builders import Extension, delegate, file_of, forge
from cryptography import x509
from deployment import Deployment, free_ports, until
from people import ca_of
from voms_builders import member_proxy, server, vomsdir_files

from clients import delegation
from ns import beginnings
from tests.gallery.case import Ask
from tests.issuer import Issuer
from wms import capability
from wms.clienttls import client_context
from wms.jobid import JobId
from wms.secret import NAME as SECRET
from wms.x509 import authority, proxy
from wms.x509.authority import Issued
from wms.x509.proxy import Proxy

DAY = 86_400.0
ANSWER_S = 20.0
QUIET_S = 2 * beginnings.PERIOD_S
"""By then the payloads that began before the first case have been told, too."""
DATA = b"12345"
REVOKED = 4711
OF_ITSELF = frozenset({"lb_counters"})
"""Counts of the service about itself, refusals included."""
OF_TIME = "due"
"""When a row is looked at again, which goes on."""
MEASURES = "measures.json"
"""What the service writes down of CEs, in its own time."""
MOST_DELEGATIONS = 2
POLICY = """\
drain: {drain}
ban:
  - dn: "/DC=local/DC=wms/CN=mallory"
  - fqan: "/testvo/banned"
  - {{issuer: "{issuer}", subject: "mallory"}}
rules:
  - allow: [look, submit, delegate, match, read, fetch, clear, modify, cancel, notify, statistics, log, purge]
    who: everybody
  - deny: submit
    who: {{dn: "/DC=local/DC=wms/CN=reader"}}
  - deny: all
    who: everybody
    from: 127.0.0.66
"""
SLEEP = '[Executable = "/bin/sleep"; Arguments = "600";]'
HELLO = '[Executable = "/bin/echo"; StdOutput = "out"; OutputSandbox = {"out"};]'
CAT = '[Executable = "/bin/cat"; Arguments = "data"; InputSandbox = {"data"};]'


ABOUT = b'{"conditions": [[{"attribute": "owner", "value": "/DC=local/DC=wms/CN=alice"}]]}'


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` is 0 when nothing came; `document` is None unless JSON did."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        try:
            return json.loads(self.text)
        except ValueError:
            return None


class House:
    """`certs` are the authorities by what is wrong with them; `now` is when all was made."""

    def __init__(self, directory: Path) -> None:
        self.now = time.time()
        self.service = Deployment(directory)
        self._persons = dict[tuple[Any, ...], Proxy]()
        self.ca = ca_of(self.service)
        self.authorities = {name: self._authority(f"/DC=local/DC={name}/CN=CA of {name}")
                            for name in ("listless", "stale", "forged", "bound")}
        self.impostor = self._authority("/DC=local/DC=wms/CN=Private CA")
        self.stranger = self._authority("/DC=far/DC=away/CN=Other CA")
        self.voms = server(ca=self.ca, start=self.now)
        self.issuer = Issuer(self.ca, "RS256")
        self.dead_issuer = f"https://localhost:{free_ports(1)[0]}"
        self._trust()

    def _authority(self, dn: str) -> Issued:
        return authority.make_authority(self.now, serial=secrets.randbits(60), dn=dn, kind="ec")

    def _trust(self) -> None:
        directory, site = self.service.site.certificates, self.service.site
        for issued in self.authorities.values():
            for name, content in authority.trust_files(issued.certificate).items():
                (directory / name).write_bytes(content)
        made = self.authorities
        week: dict[str, Any] = {"start": self.now - 60, "end": self.now + 7 * DAY}
        lists = {"main": (self.ca, crl_bytes([REVOKED], issuer=self.ca, **week)),
                 "stale": (made["stale"], crl_bytes(issuer=made["stale"], start=self.now - 7 * DAY, end=self.now - 60)),
                 "forged": (made["forged"], crl_bytes(issuer=made["forged"], **week,
                                                      signer=proxy.load_key(made["stale"].key))),
                 "bound": (made["bound"], crl_bytes(issuer=made["bound"], **week))}
        for issued, content in lists.values():
            (directory / name_of(issued, "r0")).write_bytes(content)
        only = policy_text("/DC=local/DC=bound/CN=CA of bound", "/DC=local/DC=bound/OU=hosts/*")
        for path in directory.glob(name_of(made["bound"], "signing_policy")):
            path.write_bytes(only)
        old = authority.subject_hash_old(_subject(made["bound"]))
        (directory / f"{old}.signing_policy").write_bytes(only)
        for name, content in vomsdir_files(self.voms).items():
            path = site.root / "vomsdir" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    # -- beginning and end -------------------------------------------------------------------------------

    @contextmanager
    def open(self) -> Iterator[None]:
        with self.issuer, self.service:
            self.write_policy()
            site = self.service.site
            issuers = {url: {"vo": "local"} for url in (self.issuer.url, self.dead_issuer)}
            self.service.configure(
                policy=str(self.policy), tokens={"issuers": issuers, "timeout_s": 5},
                tls={"crl": "required", "signing_policy": "required", "vomsdir": str(site.root / "vomsdir")},
                ns={"max_delegations": MOST_DELEGATIONS, "max_output_bytes": 1000})
            self.service.migrate()
            self.process = self.service.start()
            self.running = ""
            try:
                self._people()
                yield
            finally:
                self._lasting.close()
                self._end_payload()

    def _end_payload(self) -> None:
        if self.running:
            self.must(Ask("POST", f"/ns/v1/jobs/{self.running}/cancel", headers=key(), credential=self.alice))
            until(lambda: self._state(self.running) == "Cancelled", "the payload to end")

    def _people(self) -> None:
        self.alice, self.bob, self.carol = (self.proxy(self.person(name)) for name in ("alice", "bob", "carol"))
        for name in ("mine", "main"):
            self.delegate(self.alice, name)
        for name in ("one", "two"):
            self.delegate(self.carol, name)
        file = {"name": "data", "size": len(DATA), "sha256": hashlib.sha256(DATA).hexdigest()}
        self.waiting = self.register(CAT, files=[file])
        self.running, self.done = self.register(SLEEP, start=True), self.register(HELLO, start=True)
        self.notification = self.must(Ask("POST", "/lb/v1/notifications", ABOUT, key(), self.alice))["id"]
        until(lambda: self._state(self.running) == "Running", "a payload to run")
        until(lambda: self._state(self.done) == "Done", "a payload to end")
        self.settle(QUIET_S)

    def _state(self, unique: str) -> str:
        return str(self.must(Ask(path=f"/lb/v1/jobs/{unique}", credential=self.alice)).get("state"))

    @property
    def policy(self) -> Path:
        return self.service.directory / "policy.yaml"

    def write_policy(self, drain: bool = False) -> None:
        fresh = self.policy.with_suffix(".new")
        fresh.write_text(POLICY.format(drain=str(drain).lower(), issuer=self.issuer.url))
        fresh.replace(self.policy)

    # -- credentials -------------------------------------------------------------------------------------

    def person(self, name: str, ca: Issued | None = None, *, start: float | None = None, days: float = 30,
               kind: str = "ec", serial: int = 0) -> Proxy:
        """A certificate and its key; the same for the same person."""
        wanted = (name, ca, start, days, kind, serial)
        if wanted not in self._persons:
            self._persons[wanted] = self._certified(*wanted)
        return self._persons[wanted]

    def _certified(self, name: str, ca: Issued | None, start: float | None, days: float, kind: str,
                   serial: int) -> Proxy:
        issued = authority.user_certificate(ca or self.ca, name, self.now if start is None else start, days=days,
                                            kind=kind, serial=serial or secrets.randbits(60) + 1)
        return proxy.load(issued.certificate + issued.key)

    def proxy(self, of: Proxy, *, limited: bool = False, lifetime_s: float = DAY / 2) -> Proxy:
        return delegate(of, lifetime_s, limited=limited, serial=secrets.randbits(60) + 1, now=self.now)

    def forged(self, of: Proxy, *extensions: Extension, **how: Any) -> Proxy:
        """Whatever one likes, below a credential."""
        return forge(of, *extensions, **{"start": self.now - 60, "end": self.now + 3600, **how})

    def token(self, subject: str = "alice", **claims: Any) -> str:
        return self.issuer.mint(sub=subject, **claims)

    def voms_proxy(self, *fqans: str, name: str = "alice") -> Proxy:
        return member_proxy(self.person(name), self.voms, *fqans, now=self.now, lifetime_s=DAY / 2)

    def capability(self, unique: str, attempt: int = 1, life_s: float = 3600, secret: bytes = b"") -> str:
        return capability.issue(secret or self.secret, self.job(unique), attempt, time.time() + life_s)

    @cached_property
    def secret(self) -> bytes:
        return (self.service.site.state / SECRET).read_bytes()

    def job(self, unique: str) -> str:
        return str(JobId(*self.place, unique))

    # -- requests ----------------------------------------------------------------------------------------

    @cached_property
    def place(self) -> tuple[str, int]:
        host, port = self.service.addresses()["WMS_ENDPOINT"].removeprefix("https://").split(":")
        return host, int(port)

    def context(self, credential: Proxy | None) -> ssl.SSLContext:
        file = self.service.directory / "credential"
        made = client_context(None, str(self.service.site.certificates))
        made.set_ciphers("DEFAULT:@SECLEVEL=0")
        if credential is not None:
            file.write_bytes(file_of(credential))
            made.load_cert_chain(file)
            file.unlink()
        return made

    def answer(self, ask: Ask) -> Answer:
        """On a connection of its own."""
        plain = socket.create_connection(self.place, ANSWER_S, (ask.peer, 0))
        with closing(self.context(ask.credential).wrap_socket(plain, server_hostname="localhost")) as connection:
            received = b""
            with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, TimeoutError):
                connection.sendall(ask.request())
            with suppress(ConnectionResetError, ssl.SSLEOFError, TimeoutError):
                while not ask.leaves and (piece := connection.recv(65536)):
                    received += piece
        return parsed(received)

    def is_well(self) -> bool:
        """Is a good request answered? On a connection that lasts, beside those of the cases."""
        connection = self._lasting
        connection.request("GET", "/ns/v1/limits")
        response = connection.getresponse()
        return response.status == 200 and bool(response.read())

    @cached_property
    def _lasting(self) -> HTTPSConnection:
        return HTTPSConnection(*self.place, timeout=ANSWER_S, context=self.context(self.alice))

    def must(self, ask: Ask) -> Any:
        """The document of a request that must succeed."""
        found = self.answer(ask)
        assert found.status == 200, (ask.method, ask.path, found)
        return found.document

    def request(self, of: Proxy, name: str) -> str:
        """A fresh signing request (PEM)."""
        return str(self.must(Ask("POST", f"/ns/v1/delegations/{name}", credential=of))["csr_pem"])

    def delegate(self, of: Proxy, name: str) -> str:
        """The chain with which it was done."""
        chain = delegation.sign(self.request(of, name), file_of(of), self.now)
        self.must(put_chain(of, name, chain))
        return chain

    def register(self, jdl: str, **more: Any) -> str:
        body = json.dumps({"jdl": jdl, "delegation": "main", **more}).encode()
        found = self.must(Ask("POST", "/ns/v1/jobs", body, key(), self.alice))
        return JobId.parse(found["job"]).unique

    # -- what it remembers -------------------------------------------------------------------------------

    def settle(self, quiet_s: float = 0.0) -> frozenset[str]:
        """All there is, once no message is on its way and nothing has changed for so long."""
        until(lambda: not self._rows("messages"), "the queue to be empty")
        found, since = self.everything(), time.monotonic()

        def quiet() -> bool:
            nonlocal found, since
            now = self.everything()
            if now != found:
                found, since = now, time.monotonic()
            return time.monotonic() - since >= quiet_s

        until(quiet, "the service to be quiet")
        return found

    def everything(self) -> frozenset[str]:
        """All rows of all tables, and names, sizes and modes of all files of the state, a line each."""
        state = self.service.site.state
        with closing(sqlite3.connect(f"file:{state}/wms.sqlite?mode=ro", uri=True)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            database.row_factory = sqlite3.Row
            rows = {f"{table} {[(key, value) for key, value in dict(row).items() if key != OF_TIME]}"
                    for table in tables - OF_ITSELF for row in database.execute(f'SELECT rowid, * FROM "{table}"')}
        files = [path for path in state.rglob("*") if not path.name.startswith("wms.sqlite")
                 and MEASURES not in path.name and path.parent.name != "run"]
        return frozenset(rows | {f"{path} {path.stat().st_size} {path.stat().st_mode:o}" for path in files})

    def _rows(self, table: str) -> list[Any]:
        with closing(sqlite3.connect(f"file:{self.service.site.state}/wms.sqlite?mode=ro", uri=True)) as database:
            return database.execute(f'SELECT * FROM "{table}"').fetchall()

    def log_size(self) -> int:
        return self.process.log.stat().st_size

    def log_since(self, size: int) -> list[dict[str, Any]]:
        with open(self.process.log, "rb") as log:
            log.seek(size)
            return [json.loads(line) for line in log.read().splitlines(True) if line.endswith(b"\n")]


def _subject(issued: Issued) -> Any:
    return x509.load_pem_x509_certificate(issued.certificate).subject


def key() -> tuple[tuple[str, str], ...]:
    """The header of a request that may come twice."""
    return (("Idempotency-Key", uuid4().hex),)


def put_chain(of: Proxy, name: str, chain: str) -> Ask:
    return Ask("PUT", f"/ns/v1/delegations/{name}", json.dumps({"chain_pem": chain}).encode(), credential=of)


def parsed(received: bytes) -> Answer:
    """The first answer of these bytes."""
    head, _, body = received.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    size = int(headers.get("content-length", len(body)))
    return Answer(int(words[1]) if len(words) > 1 else 0, headers, body[:size].decode("utf-8", "replace"))
