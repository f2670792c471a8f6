"""Wrappers of parallel jobs, started by a real MPI launcher in the shells that worker nodes have."""

from __future__ import annotations

import shutil
from pathlib import Path

from test_wrapper_run import HERE, Node, Peer, dash, failure, job, node, peer, script, server

from jobadapter.wrapper import render

__all__ = ["dash", "node", "peer", "server"]
RANKS = "echo rank $PMI_RANK of $PMI_SIZE in ${PWD##*/}, $GLITE_WMS_CPU_NUMBER $GREETING"


def ranks(peer: Peer) -> list[str]:
    return sorted(peer.outputs()["out"].decode().splitlines())


def test_as_many_processes_as_cpus_in_the_working_directory(node: Node, peer: Peer) -> None:
    status, said = node.run(render(script(peer, RANKS, parallel=True, cpus=3, stdout="out", output_sandbox=["out"],
                                          environment=[("GREETING", "hello you")])))
    assert (status, "job exit status = 0" in said) == (0, True)
    assert ranks(peer) == [f"rank {n} of 3 in work, 3 hello you" for n in range(3)]


def test_the_batch_systems_hosts_are_used(dash: Node, peer: Peer) -> None:
    hosts = dash.place / "hosts"
    hosts.write_text("localhost\nlocalhost\n127.0.0.1\n")
    dash.run(render(script(peer, RANKS, parallel=True, cpus=3, stdout="out", output_sandbox=["out"])),
             PBS_NODEFILE=str(hosts), MPI_SHARED_HOME="yes")
    assert [line[:11] for line in ranks(peer)] == ["rank 0 of 3", "rank 1 of 3", "rank 2 of 3"]


def test_the_working_directory_goes_to_the_other_hosts(dash: Node, peer: Peer) -> None:
    tools = tools_of(dash.place, ssh='echo "ssh $*" >>"$LOG"', scp='echo "scp $*" >>"$LOG"',
                     mpirun='echo "mpirun $*" >>"$LOG"; shift 4; exec "$@"')
    status, _ = dash.run(render(script(peer, "true", parallel=True, cpus=2)), PATH=f"{tools}:{HERE}",
                         LSB_HOSTS="wn7.example.org localhost", LOG=str(dash.place / "log"))
    told = (dash.place / "log").read_text().splitlines()
    assert status == 0
    assert [line.split()[0] for line in told] == ["mpirun", "ssh", "scp", "mpirun", "ssh"]
    assert told[0] == "mpirun --version"
    assert "wn7.example.org mkdir -p '" in told[1]
    assert told[2].endswith("/")
    assert "/work wn7.example.org:" in told[2]
    assert "-np 2 -machinefile " in told[3]
    assert "wn7.example.org rm -rf -- '" in told[4]


OPEN = """[ "$1" != --version ] || { echo "mpirun (Open MPI) 4.1.4"; exit; }
echo "$*" >>"$LOG"; while [ "$1" != ./run.sh ]; do shift; done; exec "$@" """


def test_open_mpi_is_told_otherwise(dash: Node, peer: Peer) -> None:
    """A stand-in: it takes the variables of the job along only if it is told to, and refuses more than its slots."""
    log, hosts = dash.place / "log", dash.place / "hosts"
    hosts.write_text("localhost slots=1\n")
    tools = tools_of(dash.place, mpirun=OPEN)
    what = render(script(peer, "true", parallel=True, cpus=4))
    dash.run(what, PATH=f"{tools}:{HERE}", LOG=str(log), X509_USER_PROXY="/x")
    peer.forget()
    peer.inputs["run.sh"] = b"#!/bin/sh\ntrue\n"
    dash.run(what, PATH=f"{tools}:{HERE}", LOG=str(log), LSB_HOSTS="a b", MPI_SHARED_HOME="yes")
    alone, many = log.read_text().splitlines()
    assert alone.startswith("-np 4 --oversubscribe -x ")
    assert "-x X509_USER_PROXY" in alone
    assert "-x X509_CERT_DIR" not in alone
    assert many.startswith("-np 4 -machinefile /")
    assert "oversubscribe" not in many


AWAY = """while [ "$1" != sh ]; do echo "$1" >>"$LOG"; shift; done
exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs none "$HIDDEN" && "$@"
    status=$?; ls "$HIDDEN"/wms_*/work >>"$LOG" 2>/dev/null; exit $status' away "$@" """


def test_slurm_brings_the_directory_to_hosts_that_lack_it(node: Node, peer: Peer) -> None:
    """A stand-in for srun, which runs its command where the directory of the job is hidden, as on another host."""
    tools = tools_of(node.place, srun=AWAY, mpirun='[ "$1" = --version ] || { shift 2; exec "$@"; }')
    status, said = node.run(render(script(peer, "echo ran >out", parallel=True, cpus=2, output_sandbox=["out"])),
                            PATH=f"{tools}:{HERE}", LOG=str(node.place / "log"), HIDDEN=str(node.home),
                            SLURM_JOB_ID="7", SLURM_JOB_NUM_NODES="2")
    assert (status, peer.outputs()) == (0, {"out": b"ran\n"}), said
    words = ["--nodes=2", "--ntasks=2", "--ntasks-per-node=1", "--export=ALL", "--quiet"]
    assert (node.place / "log").read_text().splitlines() == [*words, "run.sh", *words]


def test_a_host_that_cannot_be_reached_is_the_sites_failure(dash: Node, peer: Peer) -> None:
    tools = tools_of(dash.place, ssh="exit 255")
    said = dash.run(render(script(peer, "true", parallel=True, cpus=2)), PATH=f"{tools}:{HERE}",
                    LSB_HOSTS="wn7.example.org localhost")
    assert failure(peer, said) == "Cannot copy the working directory to another host"
    assert "POST /start" not in peer.names()


def test_a_node_without_mpi_is_the_sites_failure_before_the_start(dash: Node, peer: Peer) -> None:
    tools = dash.place / "few"
    tools.mkdir()
    for name in ("cat", "chmod", "mkdir", "rm", "sort", "uname", "wc", "curl", "kill", "sleep", "setsid", "date"):
        (tools / name).symlink_to(str(shutil.which(name)))
    said = dash.run(render(job(peer, parallel=True, cpus=2)), PATH=str(tools))
    assert failure(peer, said) == "Cannot find mpirun"
    assert "POST /start" not in peer.names()


def tools_of(place: Path, **programs: str) -> Path:
    """A directory with these programs first in the path."""
    tools = place / "tools"
    tools.mkdir()
    for name, text in programs.items():
        (tools / name).write_text(f"#!/bin/sh\n{text}\n")
        (tools / name).chmod(0o755)
    return tools
