"""The whole service on a real A-REX with Slurm behind it, in a storm: each job ends once, no payload starts twice.

Jobs come under the proxy of their owner, which is renewed while they are there. WMS_ARC_STORM_JOBS is their number.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from batch_system import Slurm, only, slurm
from storm import Storm, becomes_empty, payload

from tests.components import SCRIPTS, Settings, Start
from tests.e2e.deployment import NAMES, Deployment, until
from tests.ports import free_port

JOBS = int(os.environ.get("WMS_ARC_STORM_JOBS") or 30)
LASTING, WATCHING = 2, 2
PATIENCE_S = 900.0
HOST = "/DC=org/DC=example/CN=localhost"
WATCH = """\
file="$1/${GLITE_WMS_JOBID##*/}"
echo "start $$" >>"$file"
until openssl x509 -noout -checkend 1800 -in "$X509_USER_PROXY" >/dev/null; do sleep 0.5; done
echo "end $$" >>"$file"
"""
"""Ends when its proxy, of six minutes, has been replaced by one of an hour."""


class Arex(NamedTuple):
    """An A-REX, where it is, and what is behind it."""

    url: str
    directory: Path
    started_with: dict[str, str]
    cluster: Slurm

    def script(self, verb: str) -> None:
        done = subprocess.run([SCRIPTS / "arc.sh", verb, self.directory], env={**os.environ, **self.started_with},
                              text=True, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def sessions(self) -> list[str]:
        """The files it keeps for jobs."""
        place = self.directory / "session"
        return [name for here, _, names in os.walk(place) if Path(here) != place for name in names]


@pytest.fixture(scope="module")
def arex(start: Start, ca: Settings, workplace: Path) -> Arex:
    cluster = slurm(start, "arcstorm", nodes=1, cpus=8)
    given = {"ARC_PORT": str(free_port()), "ARC_LRMS": "slurm", "ARC_QUEUES": "main", "SLURM_CONF": cluster.conf,
             "ARC_INFO_PERIOD": "4", "CA_DIR": ca["CA_DIR"]}
    before = set(workplace.iterdir())
    url = start("arc", **given)["ARC_URL"]
    (directory,) = set(workplace.iterdir()) - before
    return Arex(url, directory, given, cluster)


@pytest.fixture(scope="module")
def myproxy(start: Start, ca: Settings, program: Callable[..., subprocess.CompletedProcess[str]]) -> str:
    """The address of a server that renews alice's proxies for the service."""
    port = free_port()
    start("myproxy", MYPROXY_PORT=str(port), CA_DIR=ca["CA_DIR"], MYPROXY_RENEWERS=HOST)
    cert, key = (f"{ca['CA_DIR']}/user-alice/{name}" for name in ("usercert.pem", "userkey.pem"))
    done = program("myproxy-init", "myproxy", "-d", "-n", "-c", "168", "-t", "12", "-x", "-R", HOST, env={
        "MYPROXY_SERVER": "localhost", "MYPROXY_SERVER_PORT": str(port), "X509_USER_PROXY": "/nonexistent",
        "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_CERT": cert, "X509_USER_KEY": key})
    assert done.returncode == 0, done.stdout + done.stderr
    return f"localhost:{port}"


@pytest.fixture
def storm(arex: Arex, ca: Settings, workplace: Path, myproxy: str,
          program: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[Storm]:
    """A service of the test CA; its user is alice, with a proxy of six minutes."""
    ran = workplace / "ran"
    ran.mkdir()
    ran.chmod(0o777)
    with Deployment(workplace / "wms") as deployment:
        shutil.rmtree(deployment.site.certificates)
        shutil.copytree(ca["X509_CERT_DIR"], deployment.site.certificates)
        done = program("grid-proxy-init", "globus-proxy-utils", "-q", "-rfc", "-bits", "2048", "-valid", "0:06", "-out",
                       str(deployment.site.proxy), env={
                           "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_PROXY": "/nonexistent",
                           "X509_USER_CERT": f"{ca['CA_DIR']}/user-alice/usercert.pem",
                           "X509_USER_KEY": f"{ca['CA_DIR']}/user-alice/userkey.pem"})
        assert done.returncode == 0, done.stdout + done.stderr
        deployment.two_ports()
        only(deployment, arc={"backend": "arc", "url": arex.url, "ca_dir": ca["X509_CERT_DIR"], "part_s": 0.5})
        deployment.configure(
            jobadapter={"copy_retries": 8}, logmonitor={"poll_s": 2.0, "lost_after_s": 20.0}, ns={"min_proxy_s": 60.0},
            tls={"certificate": ca["HOST_CERT"], "key": ca["HOST_KEY"]},
            proxyrenewal={"period_s": 0.5, "lifetime_s": 3600.0})
        deployment.migrate()
        made = Storm(deployment, ran)
        yield made
        made.close()
        arex.cluster.run("scancel", "--quiet", "--user=nobody")
        until(lambda: not arex.cluster.queue(), "what was left in the queue to be cancelled")


def renewed(jdl: str, myproxy: str) -> str:
    return jdl.replace(";]", f'; MyProxyServer = "{myproxy}";]')


def endure(storm: Storm, arex: Arex, myproxy: str, jobs: int) -> None:
    """Proxy Renewal comes when jobs are under way, so that their proxies are replaced there."""
    short = renewed(payload(storm.ran, 0.5), myproxy)
    watch = renewed(payload(storm.ran, 0, WATCH), myproxy)
    storm.start(jobs, [name for name in NAMES if name != "proxyrenewal"])
    storm.lasting = storm.submit([renewed(payload(storm.ran, 600), myproxy)] * LASTING)
    storm.submit([watch] * WATCHING)
    until(lambda: len(storm.runs()) == LASTING + WATCHING, "the first payloads to run", PATIENCE_S)
    storm.join("proxyrenewal")
    with storm.killing(most_s=6.0):
        storm.submit([short] * (jobs // 2 - LASTING - WATCHING))
        storm.cancel(storm.any(jobs // 20))
        storm.submit_collections(short, jobs // 2)
        storm.tell(f"{jobs} submitted, {storm.unanswered} calls without an answer, {storm.over()} over; "
                   f"killed {dict(storm.victims)}")
        until(lambda: storm.over() >= jobs // 4, "a quarter to be over", PATIENCE_S)
        storm.tell(f"{storm.over()} over; A-REX is stopped")
        arex.script("down")
        storm.cancel(storm.pick("Scheduled", jobs // 20) + storm.pick("Running", jobs // 20))
        storm.cancel(sorted(storm.lasting)[:1])
        arex.script("up")
        until(lambda: storm.over() >= jobs * 9 // 10, "most to be over", PATIENCE_S)
        storm.tell(f"{storm.over()} over; killed {dict(storm.victims)}")
    storm.cancel([job for job in sorted(storm.lasting) if job not in storm.cancelled])
    storm.kill(NAMES)
    until(storm.is_settled, "all to be over", PATIENCE_S)
    storm.tell(f"all {len(storm.states())} over; {storm.summary()}")


@pytest.mark.timeout(PATIENCE_S)
def test_each_job_ends_once_and_none_runs_twice(storm: Storm, arex: Arex, myproxy: str) -> None:
    endure(storm, arex, myproxy, JOBS)
    storm.check_jobs()
    becomes_empty(storm.deployment.queue, "messages")
    becomes_empty(arex.cluster.queue, "the queue of the batch system")
    becomes_empty(lambda: list((storm.deployment.site.state / "ce/arc/jobs").iterdir()), "the spool")
    becomes_empty(arex.sessions, "sessions of A-REX")
    assert not storm.failures()
