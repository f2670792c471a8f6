"""People at their terminals: each with a certificate, a proxy and a home directory, typing commands at a service."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployment import PATIENCE_S, Deployment

from clients import credential, settings
from clients.api import Client
from wms.x509 import authority, proxy
from wms.x509.authority import Issued

LIFE_S = 43_200.0


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it printed."""

    status: int
    out: str
    err: str

    @property
    def flat(self) -> str:
        """Standard output with every run of blanks and line ends as one blank."""
        return " ".join(self.out.split())

    @property
    def document(self) -> Any:
        """The one JSON document that --json prints."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Person:
    """Whoever holds the proxy at `proxy`, working in the directory `home`."""

    service: Deployment
    home: Path
    proxy: Path

    def environment(self) -> dict[str, str]:
        """What this person's shell has."""
        return {**self.service.environment(), "HOME": str(self.home), "X509_USER_PROXY": str(self.proxy)}

    def types(self, program: str, *words: str, answers: str = "", **environment: str) -> Ran:
        """A command to its end; `answers` come through a pipe."""
        done = subprocess.run(self.service.command(program, *words), input=answers, text=True, capture_output=True,
                              env={**self.environment(), **environment}, cwd=self.home, timeout=PATIENCE_S,
                              check=False)
        assert "Traceback" not in done.stderr, done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def sees(self, program: str, *words: str, answers: str = "", **environment: str) -> Ran:
        """A command that must succeed."""
        ran = self.types(program, *words, answers=answers, **environment)
        assert ran.status == 0, ran
        return ran

    def is_refused(self, code: str, program: str, *words: str, status: int = 1, **environment: str) -> str:
        """A command that must fail once, with this code; what it says."""
        ran = self.types(program, *words, **environment)
        assert ran.status == status, ran
        assert f"**** Error: {code} ****\n" in ran.err, ran.err
        assert ran.err.count("**** Error: ") == 1
        return ran.err

    def writes(self, name: str, text: str) -> str:
        (self.home / name).write_text(text)
        return name

    def submits(self, jdl: str, *words: str) -> str:
        """The identifier of a job of this description or file."""
        name = jdl if jdl.endswith(".jdl") else self.writes("job.jdl", jdl)
        return str(self.sees("job-submit", "--json", *words, name).document["jobid"])

    def client(self) -> Client:
        """The Python client with this proxy."""
        found = credential.look(str(self.proxy), str(self.service.site.certificates), time.time(), 0.0)
        return Client(settings.resolve(self.service.addresses()), found)


@dataclass(frozen=True, slots=True)
class TokenHolder(Person):
    """Somebody without a certificate; the file at `proxy` is that of a token."""

    def environment(self) -> dict[str, str]:
        shell = {**Person.environment(self), "BEARER_TOKEN_FILE": str(self.proxy)}
        del shell["X509_USER_PROXY"]
        return shell

    def holds(self, token: str) -> None:
        """Take this token from now on."""
        self.proxy.touch(0o600)
        self.proxy.write_text(token)

    def begins(self, program: str, *words: str) -> subprocess.Popen[str]:
        """A command that waits for something; its standard output is a pipe."""
        return subprocess.Popen(self.service.command(program, *words), text=True, env=self.environment(),
                                cwd=self.home, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)


def token_holder(service: Deployment, home: Path, token: str = "") -> TokenHolder:
    """Somebody whose only credential is this token, or who has none yet."""
    home.mkdir()
    made = TokenHolder(service, home, home / "token")
    if token:
        made.holds(token)
    return made


def owner(service: Deployment, home: Path) -> Person:
    """The user whom the service was made for."""
    home.mkdir()
    return Person(service, home, service.site.proxy)


def ca_of(service: Deployment) -> Issued:
    """The authority that the service trusts."""
    directory = service.site.root / "ca"
    return Issued((directory / "cert.pem").read_bytes(), (directory / "key.pem").read_bytes())


def someone(service: Deployment, home: Path, name: str, *, ca: Issued | None = None, made: float | None = None,
            life_s: float = LIFE_S) -> Person:
    """A new person with a certificate of `ca` (the service's own) and a proxy made at `made` (now)."""
    start = time.time() if made is None else made
    issued = authority.user_certificate(ca or ca_of(service), name, start, serial=secrets.randbits(60) + 1, kind="ec")
    chain, fresh = proxy.certificates(issued.certificate), proxy.new_key()
    cert = proxy.new_proxy(chain, proxy.load_key(issued.key), fresh.public_key(), start, life_s, serial=1)
    home.mkdir()
    path = home / "proxy.pem"
    path.touch(0o600)
    path.write_bytes(proxy.dump(cert, fresh, chain))
    return Person(service, home, path)
