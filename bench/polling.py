"""What watching 10,000 jobs costs a real Slurm and us, a minute, beside one squeue a job and a minute.

All wait behind one long job. The longest period of watching is measured, as it is when nothing changes; what Slurm
counts and takes is compared with the same Slurm when nobody watches. One squeue is measured on a sample, and scaled.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from os import environ, times
from pathlib import Path

import sqlalchemy as sa

from bench.batch_system import Slurm, slurm
from bench.deployment import suite
from bench.processor import resident_mb, service, spent
from bench.rows import Row, row
from jobadapter import store as submissions
from logmonitor import store as watches
from wms.engine import make_engine

SIZES = (10_000,)
MEASURED_S = 60.0
SETTLED_S = 30.0
SAMPLE = 100
SUBMITTERS = 4
CE = "ce.example.org:2119/jobmanager-slurm-main"


def run(sizes: tuple[int, ...] = SIZES) -> list[Row]:
    return [one for n in sizes for one in _run(n)]


def _run(n: int) -> list[Row]:
    with slurm(1) as batch:
        ids = [f"{number:022d}" for number in range(n)]
        _fill_spool(batch, dict(zip(ids, _submit(batch, n), strict=True)))
        ctld = batch.pid()
        asked, idle, _ = _in_a_minute(batch, lambda: (0.0, spent(ctld).own, 0.0))
        naive_ctld, naive_client = _naive(batch, n)
        watched = {**batch.ce(), "observe_s": 60.0, "observe_most_s": 60.0}
        with suite(1, ces={"slurm": watched}, fill=lambda url: _fill_database(url, ids)) as here:
            pid = service(here.state)
            time.sleep(SETTLED_S)
            asked, busy, ours = _in_a_minute(batch, lambda: (0.0, spent(ctld).own, sum(spent(pid))))
            memory = resident_mb(pid)
    return [row("requests to Slurm, watching", n, asked, "a minute", n),
            row("processor of slurmctld, watching", n, busy - idle, "ms a minute", naive_ctld),
            row("processor of ours and squeue, watching", n, ours, "ms a minute", naive_client),
            row("memory of the service, watching", n, memory, "MB", 0)]


def _in_a_minute(batch: Slurm, read: Callable[[], tuple[float, float, float]]) -> tuple[float, float, float]:
    """Requests that Slurm counted, and the two figures that `read` gives with them."""
    began, before, asked = time.perf_counter(), read(), _requests(batch)
    time.sleep(MEASURED_S)
    minutes = (time.perf_counter() - began) / 60
    after = read()
    return (_requests(batch) - asked - 1) / minutes, (after[1] - before[1]) / minutes, (after[2] - before[2]) / minutes


def _requests(batch: Slurm) -> int:
    """Of users, as sdiag has them; to ask is one itself."""
    by_user = batch.command("sdiag").partition("statistics by user")[2].partition("Pending RPC")[0]
    return sum(map(int, re.findall(r"count:(\d+)", by_user)))


def _naive(batch: Slurm, n: int) -> tuple[float, float]:
    """Milliseconds of slurmctld and of the command, a minute, if each job were asked about by itself."""
    ids = batch.command("squeue", "-h", "-o", "%i").split()[:SAMPLE]
    before, commands = spent(batch.pid()).own, times()
    for id in ids:
        batch.command("squeue", "-h", "-j", id, "-o", "%T")
    done = times()
    command_ms = 1000 * (done.children_user + done.children_system - commands.children_user - commands.children_system)
    return n * (spent(batch.pid()).own - before) / len(ids), n * command_ms / len(ids)


def _submit(batch: Slurm, n: int) -> list[str]:
    """Handles of jobs that wait: the one slot is taken."""
    script = Path(batch.place / "payload")
    script.write_text("#!/bin/sh\nexec sleep 86400\n")
    batch.command("sbatch", "--parsable", "--output=/dev/null", str(script))
    line = f'i=0; while [ $i -lt {n // SUBMITTERS} ]; do sbatch --parsable --output=/dev/null "$0"; i=$((i+1)); done'
    loops = [subprocess.Popen(["sh", "-c", line, str(script)], env={**environ, "SLURM_CONF": batch.conf},
                              stdout=subprocess.PIPE, text=True) for _ in range(SUBMITTERS)]
    return [handle for loop in loops for handle in loop.communicate()[0].split()]


def _token(id: str) -> str:
    return submissions.token(id, 1)


def _fill_spool(batch: Slurm, handles: dict[str, str]) -> None:
    """As if we had handed them over."""
    for place in ("jobs", "known", "ended", "cancelled"):
        (batch.place / "spool" / place).mkdir(parents=True)
    for id, handle in handles.items():
        (batch.place / "spool" / "jobs" / _token(id)).mkdir()
        (batch.place / "spool" / "known" / _token(id)).write_text(f"{handle} \n")


def _fill_database(url: str, ids: list[str]) -> None:
    now, engine = time.time(), make_engine(url)
    watched = [watches.WatchRow(id, 1, f"https://localhost:9000/{id}", watches.WATCHED, "slurm", CE, _token(id),
                                changed=now)._asdict() for id in ids]
    placed = [submissions.Submission(id, 1, "slurm", _token(id), submissions.SUBMITTED, "", now)._asdict()
              for id in ids]
    with engine.begin() as conn:
        conn.execute(sa.insert(watches.watches), watched)
        conn.execute(sa.insert(submissions.submissions), placed)
    engine.dispose()
