"""A Slurm of several pseudo nodes for whole deployments, and how its daemons are stopped, killed and brought back."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from tests.components import SCRIPTS, Start
from tests.e2e.deployment import Deployment, until
from tests.ports import free_ports


class Slurm(NamedTuple):
    """A cluster that was started: its configuration, and the environment it was started with."""

    conf: str
    started_with: dict[str, str]

    @property
    def directory(self) -> Path:
        return Path(self.conf).parent

    def run(self, *words: str) -> str:
        """What one of its commands prints, as root; the command must succeed."""
        done = subprocess.run(words, env={**os.environ, "SLURM_CONF": self.conf}, text=True, capture_output=True,
                              check=False)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.strip()

    def settings(self, **more: Any) -> dict[str, Any]:
        """Of a CE."""
        return {"backend": "slurm", "environment": {"SLURM_CONF": self.conf}, **more}

    def pid(self, daemon: str) -> int:
        return int((self.directory / "run" / f"{daemon}.proc").read_text().split()[0])

    def stop(self, daemon: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Until it is gone. SIGTERM lets it save what it knows."""
        pid = self.pid(daemon)
        os.kill(pid, number)
        until(lambda: ended(pid), f"{daemon} to be gone")

    def revive(self) -> None:
        """Start what is missing of it, wait until all nodes are up, and take back those it has set aside itself.

        A controller that was killed gives numbers of jobs again which it had not saved; a node that has such a job is
        drained ("Duplicate jobid") until its administrator comes.
        """
        done = subprocess.run([SCRIPTS / "slurm.sh", "up", self.directory], env={**os.environ, **self.started_with},
                              text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        self.resume()

    def resume(self) -> None:
        for node in set(self.run("sinfo", "-h", "-N", "-t", "drain,draining,drained,down", "-o", "%N").split()):
            self.run("scontrol", "update", f"nodename={node}", "state=resume")

    def queue(self) -> list[str]:
        """The jobs that are not over, a line each."""
        return self.run("squeue", "-h", "-a", "-o", "%i %T %j %r").splitlines()


def slurm(start: Start, name: str, nodes: int, cpus: int, partitions: str = "main:600 long:UNLIMITED",
          **more: str) -> Slurm:
    port, *ports = map(str, free_ports(nodes + 1))
    given = {"SLURM_CLUSTER": name, "SLURM_PORT": port, "SLURM_NODE_PORTS": " ".join(ports),
             "SLURM_PARTITIONS": partitions, "SLURM_CPUS": str(cpus), **more}
    return Slurm(start("slurm", **given)["SLURM_CONF"], given)


def only(deployment: Deployment, **ces: dict[str, Any]) -> None:
    """These CEs, and no others."""
    values = msgspec.yaml.decode(deployment.site.config.read_bytes())
    deployment.site.config.write_bytes(msgspec.yaml.encode({**values, "ce": ces}))


def ended(pid: int) -> bool:
    """Is the process gone, or one that nobody has waited for yet?"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
