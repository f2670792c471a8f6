"""A listener of one registration that loses its connection now and then, and remembers every notice by its id."""

from __future__ import annotations

import http.client
import json
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event as Flag
from threading import Thread
from typing import Any, Self

from deployment import Deployment, until

from clients import site
from clients.bookkeeping import Bookkeeping
from clients.notifying import new
from wms.clienttls import client_context
from wms.operations.notifications import Asked, NewNotification

SILENCE_S = 20.0
AGAIN_S = 0.2
LEAVES = 0.005
"""How often it hangs up after a notice."""
FORGETS = 40
"""It acknowledges at most all but so many of the notices that it has seen."""


class Listener:
    """All notices of the jobs of one user; `with listener: ...` listens meanwhile."""

    def __init__(self, deployment: Deployment, user: str, seed: int) -> None:
        self._deployment = deployment
        self._chance = random.Random(seed)
        self._ended = Flag()
        self._thread = Thread(target=self._listen)
        self.notices: dict[int, dict[str, Any]] = {}
        self._socket: socket.socket | None = None
        self.connections = 0
        self.repeated = 0
        self.problems: list[str] = []
        with deployment.client() as client:
            asked = NewNotification(((Asked("owner", "=", user),),))
            self._id = new(Bookkeeping(client).server(), asked).id.rpartition("NOTIF:")[2]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._ended.set()
        if self._socket is not None:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def wait_for(self, number: int, patience_s: float) -> None:
        """Until so many notices have come."""
        until(lambda: len(self.notices) >= number or self.problems, f"{number} notices", patience_s)

    def of(self, job: str) -> list[dict[str, Any]]:
        """The notices of a job (URL), in the order of their ids."""
        return [body for _id, body in sorted(self.notices.items()) if body["jobid"] == job]

    def _listen(self) -> None:
        while not self._ended.is_set():
            with suppress(OSError, http.client.HTTPException), self._stream() as lines:
                for line in lines:
                    if line.strip():
                        self._note(json.loads(line))
                    if self._ended.is_set() or self._chance.random() < LEAVES:
                        break
            self._ended.wait(AGAIN_S)

    @contextmanager
    def _stream(self) -> Iterator[http.client.HTTPResponse]:
        """From a place that may lie before what was seen last."""
        seen = sorted(self.notices)
        after = seen[-1 - self._chance.randrange(min(FORGETS, len(seen)))] if seen else 0
        context = client_context(str(self._deployment.site.proxy), str(self._deployment.site.certificates))
        port = int(self._deployment.addresses()["WMS_LB"].rpartition(":")[2])
        connection = http.client.HTTPSConnection(site.site_host(), port, timeout=SILENCE_S, context=context)
        try:
            connection.connect()
            self._socket = connection.sock
            connection.request("GET", f"/lb/v1/notifications/{self._id}/stream?after={after}")
            response = connection.getresponse()
            if response.status == 200:
                self.connections += 1
                yield response
            elif response.status == 503:
                raise ConnectionRefusedError
            else:
                self.problems.append(f"{response.status} {response.read()!r}")
                self._ended.set()
                raise ConnectionRefusedError
        finally:
            connection.close()

    def _note(self, line: dict[str, Any]) -> None:
        id, body = line["id"], line["notice"]
        self.repeated += id in self.notices
        if self.notices.setdefault(id, body) != body:
            self.problems.append(f"notice {id} was {self.notices[id]}, is {body}")
        if "lost" in body:
            self.problems.append(f"lost: {body}")


