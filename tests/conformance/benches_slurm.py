"""The bench of Slurm: a real one of one node with two CPUs, started once for the session. Others can be had too."""

from __future__ import annotations

import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest
from ce_bench import Bench, Can, Kind, gone
from reactor_thread import until

from tests.components import SCRIPTS, Start
from tests.ports import free_ports


class Cluster(NamedTuple):
    """A Slurm that was started: its configuration and the settings it was started with."""

    conf: str
    start: dict[str, str]

    def command(self, *line: str) -> str:
        """One of its commands, as root."""
        done = subprocess.run(line, env={**os.environ, "SLURM_CONF": self.conf}, text=True, capture_output=True,
                              check=True)
        return done.stdout.strip()

    def settings(self, place: Path) -> dict[str, object]:
        return {"backend": "slurm", "spool": str(place / "spool"), "host": "ce.example.org", "tags": ["VO-test-1"],
                "environment": {"SLURM_CONF": self.conf}, "fresh_s": 0.1}

    def stop(self, daemon: str) -> None:
        """End one of its daemons, which saves what it knows; `revive` starts it again."""
        pid = int(Path(self.conf).parent.joinpath("run", f"{daemon}.proc").read_text().split()[0])
        os.kill(pid, signal.SIGTERM)
        until(lambda: gone(pid))

    def revive(self) -> None:
        """Start what is missing of it."""
        subprocess.run([SCRIPTS / "slurm.sh", "up", Path(self.conf).parent], env={**os.environ, **self.start},
                       check=True, capture_output=True)


def cluster(start: Start, name: str, nodes: int = 1, **more: str) -> Cluster:
    port, *ports = map(str, free_ports(nodes + 1))
    settings = {"SLURM_CLUSTER": name, "SLURM_PORT": port, "SLURM_NODE_PORTS": " ".join(ports),
                "SLURM_PARTITIONS": "main:UNLIMITED short:2", "SLURM_CPUS": "2", **more}
    return Cluster(start("slurm", **settings)["SLURM_CONF"], settings)


@cache
def bench_cluster(start: Start) -> Cluster:
    return cluster(start, "bench", SLURM_SCHEDULER="sched/builtin", SLURM_KILLWAIT="5")


def _open(request: pytest.FixtureRequest, place: Path) -> Bench:
    found = bench_cluster(request.getfixturevalue("start"))
    return Bench("slurm", dict(found.settings(place)), place, ce_id="ce.example.org:2119/jobmanager-slurm-main",
                 queue="main")


# this one follows processes by their parents, not by control groups
SLURM = Kind(_open, frozenset(Can) - {Can.LIMITS_OF_SECONDS, Can.ULIMITS, Can.ORPHANS})
