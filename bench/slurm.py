"""Jobs a second through us to a real Slurm, from submit to Done, beside a loop of sbatch until all have ended.

Both run the same in the same Slurm, one after the other: /bin/true, where processors are the limit and those of the
nodes are ours too, and payloads of some seconds, where the slots are. The rates of submission alone are measured with
all slots taken: beside each other stand our submit commands with all behind them, and the loop of sbatch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from bench.batch_system import Slurm, slurm
from bench.deployment import spread, suite, wait_done
from bench.jobs import submit
from bench.processor import Spent, service, spent
from bench.rows import Row, row
from clients.api import Client
from clients.site import Site

SIZES = (100, 400)
SLOTS = 32
LOOK_S = 0.2
TAKEN_S = 2.0
SHORT, LONG_S = "/bin/true", 4
LONG = f"/bin/sleep {LONG_S}"
LOOP = 'i=0; while [ $i -lt "$1" ]; do sbatch --parsable --output=/dev/null "$2" >/dev/null || exit 1; i=$((i+1)); done'


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    return [one for n in sizes for one in _run(n)]


def _run(n: int) -> list[Row]:
    with slurm(SLOTS) as batch, suite(1, ces={"slurm": batch.ce()}) as here:
        wait_done(spread(submit, range(4)))
        bare, ours, (own, commands) = _bare(batch, n, SHORT), *_ours(here, n, submit)
        bare_long, ours_long, _ = _bare(batch, n, LONG), *_ours(here, n, _submit_long)
        closed_bare, closed_ours = _submitted(batch, n)
    return [row("submit to Done, Slurm", n, ours, "jobs/s", bare),
            row(f"the same, {SLOTS} slots, jobs of {LONG_S} s", n, ours_long, "jobs/s", bare_long),
            row("submission alone, Slurm", n, closed_ours, "jobs/s", closed_bare),
            row("processor of the service, Slurm", n, own / n, "ms/job", 0),
            row("processor of its commands, Slurm", n, commands / n, "ms/job", 0)]


def _submit_long(client: Client, _n: int) -> str:
    return client.submit(f'Executable = "/bin/sleep"; Arguments = "{LONG_S}";').job


def _loop(batch: Slurm, n: int, payload: str) -> None:
    script = Path(batch.place / "payload")
    script.write_text(f"#!/bin/sh\nexec {payload}\n")
    batch.command("sh", "-c", LOOP, "sh", str(n), str(script))


def _bare(batch: Slurm, n: int, payload: str) -> float:
    began = time.perf_counter()
    _loop(batch, n, payload)
    _until(batch, 0)
    return n / (time.perf_counter() - began)


def _until(batch: Slurm, left: int) -> None:
    while batch.left() != left:
        time.sleep(LOOK_S)


def _ours(here: Site, n: int, submit_one: Callable[[Client, int], str]) -> tuple[float, Spent]:
    pid = service(here.state)
    began, before = time.perf_counter(), spent(pid)
    wait_done(spread(submit_one, range(n)))
    return n / (time.perf_counter() - began), spent(pid).since(before)


def _submitted(batch: Slurm, n: int) -> tuple[float, float]:
    """Jobs a second that come to wait in Slurm: by the loop, then by us, with the calls of our clients."""
    batch.command("sbatch", "--exclusive", "--output=/dev/null", "--wrap=sleep 86400")
    time.sleep(TAKEN_S)
    began = time.perf_counter()
    _loop(batch, n, SHORT)
    bare = n / (time.perf_counter() - began)
    began = time.perf_counter()
    spread(submit, range(n))
    _until(batch, 2 * n + 1)
    return bare, n / (time.perf_counter() - began)
