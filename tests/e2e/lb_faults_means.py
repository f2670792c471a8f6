"""What is done to the server: its database cut off in three ways, and clients that never finish."""

from __future__ import annotations

import os
import random
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec
import sqlalchemy as sa
from deployment import Deployment, until
from lb_load import START, Source, event
from testbed_scripts import script

from clients import site
from wms.clienttls import client_context
from wms.database import make_engine


@dataclass(frozen=True, slots=True)
class Postmaster:
    """A PostgreSQL server of `tests/testbed/postgres.sh` below `directory`."""

    directory: Path
    url: str
    environment: dict[str, str]

    @property
    def pid(self) -> int:
        return int((self.directory / "run" / "postgres.proc").read_text().split()[0])

    def drop_connections(self) -> None:
        """All but the one that says so."""
        engine = make_engine(self.url)
        with engine.connect() as conn:
            conn.execute(sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                                 "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"))
        engine.dispose()

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Neither answers nor refuses."""
        everybody = [self.pid, *_children(self.pid)]
        _signal(everybody, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(everybody, signal.SIGCONT)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Shut down without a word to anybody, as in a crash."""
        pid = self.pid
        os.kill(pid, signal.SIGQUIT)
        until(lambda: not _lives(pid), "the database to be down")
        try:
            yield
        finally:
            script("postgres", "up", self.directory, self.environment)


def _children(parent: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


class RudeClients:
    """They connect and stop somewhere: before TLS, in a header, in a body of a known or an unknown length."""

    def __init__(self, deployment: Deployment, user: str, chance: random.Random) -> None:
        address = deployment.addresses()["WMS_LB"]
        self._place = site.site_host(), int(address.rpartition(":")[2])
        self._context = client_context(str(deployment.site.proxy), str(deployment.site.certificates))
        self._chance = chance
        told = event("RegJob", f"{address}/rude", Source.NETWORK_SERVER, START.advanced(Source.NETWORK_SERVER),
                     time.time(), "wms.example", user, jobtype="SIMPLE", ns="ns.example")
        line = msgspec.json.encode(told)
        head = b"POST /lb/v1/events HTTP/1.1\r\nHost: localhost\r\n"
        self._words = (
            b"", head, b"%bContent-Length: %d\r\n\r\n%b\n" % (head, len(line) + 100, line),
            b"%bTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (head, len(line), line))
        self._sockets: list[socket.socket] = []
        self._slow: list[ssl.SSLSocket] = []

    def come(self, number: int) -> None:
        for _ in range(number):
            plain = socket.create_connection(self._place, 20.0)
            if self._chance.random() < 0.2:
                plain.sendall(b"\x16\x03\x01\x02\x00\x01"[:self._chance.randrange(7)])
                self._sockets.append(plain)
                continue
            secure = self._context.wrap_socket(plain, server_hostname=self._place[0])
            secure.sendall(self._chance.choice(self._words))
            self._sockets.append(secure)
            self._slow.append(secure)

    def dawdle(self, seconds: float) -> None:
        """A blank now and then, where one more is of no consequence."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for connection in self._slow:
                with suppress(OSError):
                    connection.sendall(b" ")
            time.sleep(seconds / 5)

    def leave(self) -> None:
        """Half of them without a word."""
        for connection in self._sockets:
            if self._chance.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        self._sockets.clear()
        self._slow.clear()
