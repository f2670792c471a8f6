"""Ports for servers of the tests: below those that the system gives to connections; each worker has its own."""

from __future__ import annotations

import os
import random
import socket

FIRST, EACH, WORKERS = 18_000, 3_600, 4
_worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
_rng = random.SystemRandom()
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nobody listens on, none of them given before."""
    first = FIRST + EACH * (int(_worker) % WORKERS)
    found: list[int] = []
    while len(found) < count:
        port = _rng.randrange(first, first + EACH)
        if port not in _given and _is_free(port):
            _given.add(port)
            found.append(port)
    return found


def free_port() -> int:
    return free_ports(1)[0]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
