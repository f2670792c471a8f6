"""Proxy renewal from end to end: a real MyProxy server, a real service, a payload that watches its proxy."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.e2e.deployment import NAMES, Deployment, free_ports, until

ALICE = "/DC=org/DC=example/OU=People/CN=alice"
HOST = "/DC=org/DC=example/CN=localhost"
RENEWED_S = 3600
SHORT = "0:06"
HISTORY = Counter(RegJob=1, Accepted=2, EnQueued=2, DeQueued=2, Match=1, Transfer=2, Running=1, ReallyRunning=1,
                  ResourceUsage=8, Done=2)
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]

WATCHER = """#!/bin/sh
# Prints the end of the proxy now and, once it has changed, again; says that it looks by making the file $1.
end() { openssl x509 -noout -enddate -in "$X509_USER_PROXY"; }
first=$(end)
echo "$first"
: > "$1"
n=0
while [ "$(end)" = "$first" ]; do
    n=$((n + 1))
    [ $n -lt 200 ] || exit 9
    sleep 0.2
done
end
"""


@pytest.fixture(scope="module")
def myproxy(start: Callable[..., Settings], ca: Settings, program: Program) -> str:
    """The address of a server that renews for the host of the service, and holds alice's credential for it."""
    (port,) = free_ports(1)
    start("myproxy", MYPROXY_PORT=str(port), CA_DIR=ca["CA_DIR"], MYPROXY_RENEWERS=HOST)
    cert, key = (str(Path(ca["CA_DIR"], "user-alice", name)) for name in ("usercert.pem", "userkey.pem"))
    done = program("myproxy-init", "myproxy", "-d", "-n", "-c", "168", "-t", "12", "-x", "-R", HOST, env={
        "MYPROXY_SERVER": "localhost", "MYPROXY_SERVER_PORT": str(port), "X509_USER_PROXY": "/nonexistent",
        "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_CERT": cert, "X509_USER_KEY": key})
    assert done.returncode == 0, done.stdout + done.stderr
    return f"localhost:{port}"


@pytest.fixture(scope="module")
def service(workplace: Path, ca: Settings, program: Program) -> Iterator[Deployment]:
    """A service of the test CA whose user is alice with a proxy of six minutes. Nothing of it runs yet."""
    with Deployment(workplace / "service") as made:
        shutil.rmtree(made.site.certificates)
        shutil.copytree(ca["X509_CERT_DIR"], made.site.certificates)
        made.configure(tls={"certificate": ca["HOST_CERT"], "key": ca["HOST_KEY"]}, ns={"min_proxy_s": 60.0},
                       proxyrenewal={"period_s": 0.5, "lifetime_s": float(RENEWED_S)})
        done = program("grid-proxy-init", "globus-proxy-utils", "-q", "-rfc", "-bits", "2048", "-valid", SHORT, "-out",
                       str(made.site.proxy), env={
                           "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_PROXY": "/nonexistent",
                           "X509_USER_CERT": f"{ca['CA_DIR']}/user-alice/usercert.pem",
                           "X509_USER_KEY": f"{ca['CA_DIR']}/user-alice/userkey.pem"})
        assert done.returncode == 0, done.stdout + done.stderr
        (made.directory / "client.conf").write_text("[ DefaultProxyValidity = 3; ]")
        (made.directory / "watch.sh").write_text(WATCHER)
        made.migrate()
        yield made


@pytest.fixture(scope="module")
def running(service: Deployment) -> Deployment:
    """All daemons but Proxy Renewal, which a test starts when its time has come."""
    service.start(*(name for name in NAMES if name != "proxyrenewal"))
    return service


def submit(service: Deployment, jdl: str) -> tuple[str, list[str]]:
    """(job identifier, warnings) of a job with a proxy that `job-submit` finds too short by default."""
    path = service.directory / "job.jdl"
    path.write_text(jdl)
    done = service.run("job-submit", "--json", "--config", "client.conf", str(path))
    document = json.loads(done.stdout)
    assert done.returncode == 0, document
    return document["jobid"], document.get("warnings", [])


def registrations(service: Deployment) -> list[tuple[str, str, int]]:
    """(owner, MyProxy server, failures in a row) of each credential that is kept alive."""
    with closing(sqlite3.connect(service.site.state / "wms.sqlite")) as connection:
        return connection.execute("SELECT owner, myproxy, failures FROM registrations").fetchall()


def test_a_running_job_gets_the_renewed_proxy(running: Deployment, myproxy: str, program: Program):
    looks = running.directory / "looks"
    job, warnings = submit(running, f"""[
        Executable = "watch.sh"; Arguments = "{looks}"; InputSandbox = {{"watch.sh"}};
        StdOutput = "out"; StdError = "err"; OutputSandbox = {{"out", "err"}}; MyProxyServer = "{myproxy}"; ]""")
    assert warnings == [], "a proxy that can be renewed is long enough"
    until(looks.exists, "the payload to look at its proxy")
    running.start("proxyrenewal")
    with running.client() as client:
        *_, status = client.watch(job)
        output = client.output(job, str(running.directory / "output"), purge=False)
        events = client.events(job)
    printed = (Path(output.directory) / "out").read_text().splitlines()
    assert (status["state"], status.get("exit_code", 0)) == ("Done", 0), (status, printed)
    before, after = (seconds_left(line, program) for line in printed)
    assert 0 < before <= 360
    assert RENEWED_S - 300 < after <= RENEWED_S + 60
    assert Counter(event["type"] for event in events) == HISTORY
    until(lambda: not registrations(running), "the registration to be dropped with its job")
    until(lambda: not running.queue(), "the queue to be empty")


def test_a_job_that_needs_longer_than_its_proxy_lives_is_warned_of(running: Deployment):
    path = running.directory / "long.jdl"
    path.write_text('[ Executable = "/bin/true"; Requirements = other.GlueCEPolicyMaxWallClockTime > 90; ]')
    done = running.run("job-submit", "--config", "client.conf", "--output", "ids", str(path))
    assert done.returncode == 0, done.stderr
    assert "**** Warning: " in done.stderr
    assert "the job may need 1.5 h and names no MyProxyServer" in done.stderr
    running.wait_state((running.directory / "ids").read_text().split()[-1], "Done")


def seconds_left(enddate: str, program: Program) -> float:
    """Of a line like `notAfter=Nov 22 04:28:18 2026 GMT`."""
    found = re.fullmatch("notAfter=(.+)", enddate)
    assert found is not None, enddate
    then, now = (program("date", "coreutils", "-d", when, "+%s").stdout for when in (found[1], "now"))
    return float(then) - float(now)
