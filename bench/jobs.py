"""Jobs a second from submit to Done on the local CE, beside bare fork/exec of the same payloads, 32 at a time.

Beside it the processor time of a job: of the service, and of what it starts (wrappers and courier).
"""

from __future__ import annotations

import subprocess
import time

from bench.deployment import spread, suite, wait_done
from bench.processor import service, spent
from bench.rows import Row, row
from clients.api import Client

SIZES = (25, 100, 400, 1600)
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
    return [one for n in sizes for one in _run(n)]


def _run(n: int) -> list[Row]:
    with suite(SLOTS) as here:
        pid = service(here.state)
        spread(submit, range(1), 1)
        began, before = time.perf_counter(), spent(pid)
        wait_done(spread(submit, range(n)))
        rate, took = n / (time.perf_counter() - began), spent(pid).since(before)
        return [row("submit to Done, local CE", n, rate, "jobs/s", bare(n)),
                row("processor of the service, local CE", n, took.own / n, "ms/job", 0),
                row("processor of wrappers, local CE", n, took.children / n, "ms/job", 0)]
