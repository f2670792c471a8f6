"""A real Slurm for a benchmark, below a directory that goes away; started by the script of the tests.

Not here: what is measured.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.ports import free_ports

__all__ = ["Slurm", "slurm"]

LOOK_S = 0.2
PATIENCE_S = 120.0
SCRIPT = Path(__file__).parents[1] / "tests" / "testbed" / "slurm.sh"


class Slurm(NamedTuple):
    """`conf` is its configuration, `place` a directory that users may search."""

    conf: str
    place: Path

    def command(self, *line: str) -> str:
        return subprocess.run(line, env={**os.environ, "SLURM_CONF": self.conf}, text=True, stdout=subprocess.PIPE,
                              check=True).stdout

    def left(self) -> int:
        """Jobs that are not over."""
        return self.command("squeue", "-h", "-o", "%i").count("\n")

    def empty(self) -> None:
        """Take back all jobs, as those that run would go on without it; until they have ended, or for PATIENCE_S."""
        self.command("scancel", "--quiet", f"--user={os.getuid()}")
        end = time.monotonic() + PATIENCE_S
        while self.left() and time.monotonic() < end:
            time.sleep(LOOK_S)

    def pid(self, daemon: str = "slurmctld") -> int:
        return int((self.place / "slurm" / "run" / f"{daemon}.proc").read_text().split()[0])

    def ce(self) -> dict[str, object]:
        """The settings of this CE."""
        return {"backend": "slurm", "spool": str(self.place / "spool"), "host": "ce.example.org", "queues": ["main"],
                "environment": {"SLURM_CONF": self.conf}}


@contextmanager
def slurm(slots: int) -> Iterator[Slurm]:
    """One node with so many processors."""
    with tempfile.TemporaryDirectory(prefix="wms-bench-") as directory:
        place, (port, node) = Path(directory), free_ports(2)
        place.chmod(0o755)
        start = {"SLURM_CLUSTER": "bench", "SLURM_PORT": str(port), "SLURM_NODE_PORTS": str(node),
                 "SLURM_PARTITIONS": "main:UNLIMITED", "SLURM_CPUS": str(slots), "SLURM_MINJOBAGE": "60"}
        try:
            made = Slurm(_script("up", place / "slurm", start)["SLURM_CONF"], place)
            try:
                yield made
            finally:
                made.empty()
        finally:
            _script("down", place / "slurm", start)


def _script(verb: str, place: Path, env: dict[str, str]) -> dict[str, str]:
    said = subprocess.run([SCRIPT, verb, place], env={**os.environ, **env}, text=True,
                          stdout=subprocess.PIPE, check=True).stdout
    return {key: value for key, _, value in (part.partition("=") for part in shlex.split(said))}
