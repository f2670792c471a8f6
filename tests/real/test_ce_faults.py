"""What goes wrong around a computing element: credentials end, disks fill, networks are cut, nodes die.

The whole service, jobs on a real Slurm; for the network on the local CE, whose payloads are in a network of their own.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from batch_system import Slurm, only, slurm
from storm import payload, ready

from tests.components import Start
from tests.e2e.deployment import NAMES, Deployment, belonging_to, until
from tests.ports import free_ports
from wms.jobstatus import DoneCode
from wms.x509.proxy import certificates, dump, load_key, new_key, new_proxy

PATIENCE_S = 240.0
SHORT_S = 40.0
pytestmark = pytest.mark.timeout(PATIENCE_S + 60)


@pytest.fixture(scope="module")
def started(start: Start) -> Slurm:
    return slurm(start, "faults", nodes=2, cpus=1)


@pytest.fixture
def cluster(started: Slurm) -> Iterator[Slurm]:
    """Two nodes with a slot each. What a test that failed left in its queue does not meet the next one."""
    yield started
    started.run("scancel", "--quiet", "--user=root")
    until(lambda: not started.queue(), "an empty queue of Slurm")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    made = Deployment(tmp_path_factory.mktemp("pattern") / "wms")
    made.migrate()
    return made


@pytest.fixture
def service(pattern: Deployment, workplace: Path) -> Iterator[Deployment]:
    """Not started yet."""
    place = workplace / f"wms{time.monotonic_ns()}"
    with pattern.copy(place) as made:
        made.configure(jobadapter={"copy_retries": 3}, proxyrenewal={"period_s": 1.0, "grace_s": 1.0},
                       ns={"min_proxy_s": 5.0}, logmonitor={"poll_s": 1.0, "poll_most_s": 2.0, "report_grace_s": 2.0},
                       information={"refresh_s": 2.0})
        yield made


@pytest.fixture
def ran(service: Deployment) -> Path:
    made = service.directory / "ran"
    made.mkdir()
    return made


def up(service: Deployment, *names: str) -> None:
    """All daemons in one process, or each that is named in its own."""
    for name in names or ("",):
        service.spawn(*filter(None, [name]))
    ready(service)


def submit(service: Deployment, jdl: str) -> str:
    with service.client() as client:
        return str(client.submit(jdl).job)


def status(service: Deployment, job: str) -> dict[str, Any]:
    with service.client() as client:
        return dict(client.one_status(job))


def end(service: Deployment, job: str) -> dict[str, Any]:
    """Its status, once it is over. One whose attempt has failed is Done too, for a while."""

    def over() -> bool:
        found = client.one_status(job)
        return found["state"] == "Aborted" or (found["state"] == "Done" and found.get("done_code") != DoneCode.FAILED)

    with service.client() as client:
        until(over, f"the end of {job}", PATIENCE_S)
        return dict(client.one_status(job))


def events(service: Deployment, job: str, type: str = "") -> list[dict[str, Any]]:
    with service.client() as client:
        return [dict(event) for event in client.events(job) if type in ("", event["type"])]


def lines(ran: Path, job: str) -> list[str]:
    """The first words of what its payloads wrote down."""
    path = ran / job.rpartition("/")[2]
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def nobody_works(place: Path) -> None:
    until(lambda: not belonging_to(place), f"nobody to work in {place}", 60.0)


def nothing_is_left(service: Deployment, cluster: Slurm, spool: Path) -> None:
    until(lambda: not cluster.queue(), "an empty queue of Slurm", PATIENCE_S)
    until(lambda: not list(spool.glob("*/[!.]*")), "an empty spool", PATIENCE_S)
    nobody_works(spool)
    until(lambda: not service.queue(), "no messages to be left, none buried")


# -- credentials -------------------------------------------------------------------------------------------


def short_proxy(service: Deployment, lifetime_s: float) -> None:
    home = service.site.proxy.parent
    chain, key = certificates((home / "cert.pem").read_bytes()), load_key((home / "key.pem").read_bytes())
    own = new_key()
    cert = new_proxy(chain, key, own.public_key(), time.time(), lifetime_s, serial=secrets.randbits(62) + 1)
    service.site.proxy.write_bytes(dump(cert, own, chain))


def test_credentials_that_end_end_the_jobs(service: Deployment, cluster: Slurm, ran: Path) -> None:
    """One job waits in the batch system, others run; nobody can renew their proxy."""
    only(service, cluster=cluster.settings())
    up(service)
    lasting = service.site.proxy.read_bytes()
    short_proxy(service, SHORT_S)
    jobs = [submit(service, payload(ran, 600)) for _ in range(3)]
    until(lambda: sum(lines(ran, job) == ["start"] for job in jobs) == 2, "two payloads to run")
    service.site.proxy.write_bytes(lasting)
    for job in jobs:
        ended = end(service, job)
        assert ended["state"] == "Aborted", events(service, job)
        assert "proxy expired" in ended["reason"]
    assert sorted(map(len, (lines(ran, job) for job in jobs))) == [0, 1, 1]
    nothing_is_left(service, cluster, service.site.state / "ce/cluster")


# -- disks -------------------------------------------------------------------------------------------------


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A file system of its own; whoever still works on it when it goes is not waited for."""
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(place: Path) -> Path:
    """Until nothing more goes in."""
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            return filler


def test_a_full_spool_only_makes_jobs_late(service: Deployment, cluster: Slurm, ran: Path) -> None:
    with small_disk(service.directory / "disk", "2m") as disk:
        only(service, cluster=cluster.settings(spool=str(disk / "spool")))
        service.configure(wm={"site_faults": 1})
        up(service)
        first = submit(service, payload(ran, 0))
        end(service, first)
        filler = fill(disk)
        jobs = [submit(service, payload(ran, 0)) for _ in range(3)]
        log = service.running[-1].log
        until(lambda: "space left" in log.read_text() or any(events(service, job, "Transfer") for job in jobs),
              "somebody to notice", PATIENCE_S)
        filler.unlink()
        for job in jobs:
            assert end(service, job)["state"] == "Done", events(service, job)
            assert lines(ran, job) == ["start", "end"]
            assert not events(service, job, "Resubmission")
        nothing_is_left(service, cluster, disk / "spool")
        nobody_works(disk)


def test_a_full_disk_of_a_worker_node_is_the_fault_of_its_site(
        service: Deployment, cluster: Slurm, ran: Path) -> None:
    with small_disk(service.directory / "disk", "256k") as disk:
        only(service, cluster=cluster.settings(job_environment={"TMPDIR": str(disk)}))
        service.configure(wm={"site_faults": 1})
        up(service)
        big = service.directory / "big"
        big.write_bytes(os.urandom(500_000))
        jdl = payload(ran, 0).replace("]", f' InputSandbox = {{"{big}"}}; RetryCount = 3;]')
        job = submit(service, jdl)
        ended = end(service, job)
        failures = [event for event in events(service, job, "Done") if event["fields"].get("status_code") == "FAILED"]
        assert ended["state"] == "Aborted"
        assert [event["fields"]["fault"] for event in failures] == ["site", "site"], failures
        assert lines(ran, job) == []
        nothing_is_left(service, cluster, service.site.state / "ce/cluster")


# -- worker nodes ------------------------------------------------------------------------------------------


def lose(cluster: Slurm, node: str) -> None:
    """As if its power had gone: the daemon, and all that it started, without a word."""
    handles = cluster.run("squeue", "-h", "-w", node, "-o", "%i").split()
    cluster.stop(f"slurmd-{node}", signal.SIGKILL)
    for pid in [pid for handle in handles for pid in processes(handle)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def processes(handle: str) -> list[int]:
    """All of a job, who watches it first."""
    watchers, others = list[int](), list[int]()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            command = (entry / "cmdline").read_bytes().decode(errors="replace")
            if command.startswith(f"slurmstepd: [{handle}."):
                watchers.append(int(entry.name))
            elif f"SLURM_JOB_ID={handle}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                others.append(int(entry.name))
    return watchers + others


def test_a_node_that_dies_costs_the_user_nothing(service: Deployment, cluster: Slurm, ran: Path) -> None:
    """First it is drained, and the job goes on; then it dies, and the job, which may run again, runs on another."""
    only(service, cluster=cluster.settings())
    up(service)
    job = submit(service, payload(ran, 10).replace(";]", "; RetryCount = 1;]"))
    until(lambda: lines(ran, job) == ["start"], "the payload to run", PATIENCE_S)
    node = cluster.run("squeue", "-h", "-o", "%N")
    cluster.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=disks")
    assert [line.split()[1] for line in cluster.queue()] == ["RUNNING"]
    lose(cluster, node)
    cluster.run("scontrol", "update", f"nodename={node}", "state=down", "reason=power")
    try:
        ended = end(service, job)
        assert (ended["state"], ended.get("exit_code", 0)) == ("Done", 0), events(service, job)
    finally:
        cluster.run("scontrol", "update", f"nodename={node}", "state=resume")
        cluster.revive()
    failed = [one for one in events(service, job, "Done") if one["fields"]["status_code"] == "FAILED"]
    assert [one["fields"]["fault"] for one in failed] == ["site"]
    (again,) = events(service, job, "Resubmission")
    assert "no retry is consumed" in again["fields"]["reason"]
    assert lines(ran, job) == ["start", "start", "end"]
    nothing_is_left(service, cluster, service.site.state / "ce/cluster")


# -- the network -------------------------------------------------------------------------------------------


STARTERS = ("wm", "jobadapter", "logmonitor")


class Apart(Deployment):
    """Who may start payloads of the local CE is with them in a network of their own, with one cable to the service."""

    def __init__(self, directory: Path, net: str) -> None:
        super().__init__(directory)
        self.net = net

    def command(self, program: str, *words: str) -> list[str]:
        line = super().command(program, *words)
        return ["ip", "netns", "exec", self.net, *line] if words[-1] in STARTERS else line


class Cable:
    """Between this host and the network of worker nodes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.here, self.there = f"10.213.{os.getpid() % 200 + 20}.1", f"10.213.{os.getpid() % 200 + 20}.2"
        self._hosts = Path("/etc/netns") / name

    def lay(self) -> None:
        self._hosts.mkdir(parents=True)
        (self._hosts / "hosts").write_text(f"127.0.0.1 localhost\n{self.here} {socket.gethostname()}\n")
        ip("netns", "add", self.name)
        ip("link", "add", self.name, "type", "veth", "peer", "name", "uplink", "netns", self.name)
        ip("address", "add", f"{self.here}/24", "dev", self.name)
        ip("-n", self.name, "address", "add", f"{self.there}/24", "dev", "uplink")
        ip("-n", self.name, "link", "set", "lo", "up")
        ip("-n", self.name, "link", "set", "uplink", "up")
        self.mend()

    def cut(self) -> None:
        ip("link", "set", self.name, "down")

    def mend(self) -> None:
        ip("link", "set", self.name, "up")

    def remove(self) -> None:
        """Whatever there is of it."""
        for words in (("link", "delete", self.name), ("netns", "delete", self.name)):
            subprocess.run(["ip", *words], capture_output=True, check=False)
        shutil.rmtree(self._hosts, ignore_errors=True)


def ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stderr)


@pytest.fixture
def cable() -> Iterator[Cable]:
    made = Cable(f"wms{os.getpid() % 100_000}")
    try:
        made.lay()
        yield made
    finally:
        made.remove()


@pytest.fixture
def apart(cable: Cable, service: Deployment) -> Iterator[Apart]:
    """All daemons run; what payloads call the service is its address at the other end of the cable."""
    ns, lb = free_ports(2)
    with Apart(service.directory, cable.name) as made:
        made.configure(ns={"listen": f"0.0.0.0:{ns}"}, lb={"listen": f"127.0.0.1:{lb}"},
                       jobadapter={"ns_url": f"https://{socket.gethostname()}:{ns}", "copy_retries": 1})
        up(made, *NAMES)
        yield made


GATED = """\
file="$1/${GLITE_WMS_JOBID##*/}"
echo "start $$" >>"$file"
while [ ! -e "$1/gate" ]; do sleep 0.1; done
echo "end $$" >>"$file"
exit 3
"""


def gated(service: Deployment, ran: Path, output: str) -> str:
    """Waits for the file `gate`, exits with 3."""
    program = service.directory / "gated.sh"
    program.write_text(GATED)
    return f'[Executable = "/bin/sh"; Arguments = "{program} {ran}"; StdOutput = "out"; {output}]'


@pytest.mark.parametrize("outputs", ["", 'OutputSandbox = {"out"};'], ids=["mute", "with-output"])
def test_a_network_that_is_cut_while_the_payload_runs(apart: Apart, cable: Cable, ran: Path, outputs: str) -> None:
    """At the end it is still away, or comes back while the wrapper tries: the payload is not run again."""
    job = submit(apart, gated(apart, ran, outputs))
    until(lambda: lines(ran, job) == ["start"], "the payload to run", PATIENCE_S)
    cable.cut()
    (ran / "gate").touch()
    until(lambda: lines(ran, job) == ["start", "end"], "the end of the payload", PATIENCE_S)
    if outputs:
        cable.mend()
    ended = end(apart, job)
    assert (ended["state"], ended["exit_code"]) == ("Done", 3), events(apart, job)
    assert lines(ran, job) == ["start", "end"]
    nobody_works(apart.site.state / "ce/local/jobs")


def test_without_a_network_nothing_starts(apart: Apart, cable: Cable, ran: Path) -> None:
    """The wrapper cannot ask whether it may: its attempt is the network's fault, another one runs the payload."""
    (ran / "gate").touch()
    cable.cut()
    job = submit(apart, gated(apart, ran, "RetryCount = 0; ShallowRetryCount = 0;"))
    until(lambda: events(apart, job, "Resubmission"), "another attempt", PATIENCE_S)
    assert lines(ran, job) == []
    cable.mend()
    ended = end(apart, job)
    assert (ended["state"], ended["exit_code"]) == ("Done", 3), events(apart, job)
    assert lines(ran, job) == ["start", "end"]
    faults = {event["fields"]["fault"] for event in events(apart, job, "Done") if "fault" in event["fields"]}
    assert faults == {"network"}
