"""Jobs a second from submit to Done on the local CE, beside bare fork/exec of the same payloads, 32 at a time."""

from __future__ import annotations

import subprocess
import time

from bench.deployment import spread, suite, wait_done
from bench.rows import Row, row
from clients.api import Client

SIZES = (25, 100, 400)
SLOTS = 32
PAYLOAD = "/bin/true"
JDL = f'Executable = "{PAYLOAD}";'


def bare(n: int) -> float:
    """Payloads a second without us."""
    running: list[subprocess.Popen[bytes]] = []
    began = time.perf_counter()
    for _ in range(n):
        if len(running) == SLOTS:
            running.pop(0).wait()
        running.append(subprocess.Popen([PAYLOAD]))
    for process in running:
        process.wait()
    return n / (time.perf_counter() - began)


def submit(client: Client, _n: int) -> str:
    return client.submit(JDL).job


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    rows = []
    for n in sizes:
        with suite(SLOTS):
            spread(submit, range(1), 1)
            began = time.perf_counter()
            wait_done(spread(submit, range(n)))
            rows.append(row("submit to Done, local CE", n, n / (time.perf_counter() - began), "jobs/s", bare(n)))
    return rows
