"""Parallel jobs in allocations of a real Slurm of two nodes, by MPICH's own launcher and by srun."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from test_wrapper_run import HERE, Peer, peer, script, server

from jobadapter.wrapper import WrapperJob, render
from tests.components import Start, start, workplace
from tests.ports import free_ports

__all__ = ["peer", "server", "start", "workplace"]
RANKS = r"""on=$(tr '\0' '\n' </proc/$PPID/environ | sed -n 's/^SLURMD_NODENAME=//p')
echo $SLURM_PROCID rank $PMI_RANK of $PMI_SIZE at ${on:-$SLURMD_NODENAME}, $GREETING; exit $CODE"""
"""MPICH brings the variables of its first host to all: the one that its daemon has tells where a process is."""


@pytest.fixture(scope="module")
def slurm(start: Start) -> dict[str, str]:
    port, *ports = map(str, free_ports(3))
    conf = start("slurm", SLURM_CLUSTER="ranks", SLURM_PORT=port, SLURM_NODE_PORTS=" ".join(ports), SLURM_CPUS="2",
                 SLURM_PARTITIONS="main:UNLIMITED")["SLURM_CONF"]
    return {"SLURM_CONF": conf, "PATH": HERE, "HOME": os.environ["HOME"]}


def allocated(slurm: dict[str, str], place: Path, what: WrapperJob, *words: str, **environment: str) -> str:
    """What the wrapper says, run by sbatch with three tasks on two nodes; nothing is left in its directory."""
    home = place / "home"
    home.mkdir()
    place.joinpath("script").write_text(render(what))
    done = subprocess.run(["sbatch", "--wait", "--quiet", "--output", str(place / "said"), "--chdir", str(home),
                           "--nodes=2", "--ntasks=3", *words, str(place / "script")],
                          env={**slurm, "TMPDIR": str(home), **environment}, capture_output=True, text=True)
    said = place.joinpath("said").read_text()
    assert list(home.iterdir()) == [], (said, done.stderr)
    return said


def ranks(peer: Peer) -> list[str]:
    return sorted(peer.outputs()["out"].decode().splitlines())


def parallel(peer: Peer, code: int = 0, cpus: int = 3) -> WrapperJob:
    return script(peer, RANKS, parallel=True, cpus=cpus, stdout="out", output_sandbox=["out"],
                  environment=[("GREETING", "hello you"), ("CODE", str(code))])


NODES = {"n1, hello you", "n2, hello you"}


@pytest.mark.parametrize("words", [(), ("--export=TMPDIR,PATH,GLITE_LOCAL_MPIRUN",)], ids=["all", "few"])
def test_by_srun(slurm: dict[str, str], peer: Peer, tmp_path: Path, words: tuple[str, ...]) -> None:
    """Where Slurm is told to bring few variables to a job, its processes still have those of the job."""
    said = allocated(slurm, tmp_path, parallel(peer), *words, GLITE_LOCAL_MPIRUN="srun")
    assert "job exit status = 0" in said, said
    assert [line.split(" rank")[0] for line in ranks(peer)] == ["0", "1", "2"]
    assert {line.split(" at ")[1] for line in ranks(peer)} == NODES


def test_by_the_launcher_of_mpich(slurm: dict[str, str], peer: Peer, tmp_path: Path) -> None:
    said = allocated(slurm, tmp_path, parallel(peer))
    assert "job exit status = 0" in said, said
    assert [line.split("rank ")[1].split(" at")[0] for line in ranks(peer)] == ["0 of 3", "1 of 3", "2 of 3"]
    assert {line.split(" at ")[1] for line in ranks(peer)} == NODES


def test_the_exit_code_of_the_processes(slurm: dict[str, str], peer: Peer, tmp_path: Path) -> None:
    """Of one: of several that fail srun tells the largest, and what it ends itself after the first has 143."""
    said = allocated(slurm, tmp_path, parallel(peer, 3, cpus=1), GLITE_LOCAL_MPIRUN="srun")
    assert "job exit status = 3" in said, said
