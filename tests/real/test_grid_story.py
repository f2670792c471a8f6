"""The whole way of people with VOMS proxies as they type it: real VOMS and MyProxy servers, daemons, tools of the grid.

One job's proxy is renewed while it runs; another's cannot be, and daemons are killed while it waits for its end.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any, NamedTuple

import msgspec
import pytest

from tests.e2e.deployment import PATIENCE_S, Deployment, Wmsd, belonging_to, free_ports, until
from wms.x509 import proxy

HOST = "/DC=org/DC=example/CN=localhost"
PRODUCTION = "/testvo/prod/Role=production"
RENEWED_S = 3600.0
DOOMED_S = 75.0
"""More than the least pause between two attempts at renewal, so that there is a second one before the end."""
QUIET_S = 25.0
"""After this nobody is killed any more."""
VICTIMS = ("proxyrenewal", "ns", "wm", "jobadapter")
SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)
SLEEPS = "sleep 4711"
Program = Callable[..., CompletedProcess[str]]
Settings = dict[str, str]

LOOKS = """#!/bin/sh
# Prints end and FQANs of the proxy now, makes the file $1, prints them again once the proxy is another one.
look() { openssl x509 -noout -enddate -in "$X509_USER_PROXY"; voms-proxy-info -file "$X509_USER_PROXY" -fqan; }
cp "$X509_USER_PROXY" first
look
: > "$1"
n=0
while cmp -s first "$X509_USER_PROXY"; do
    n=$((n + 1))
    [ $n -lt 300 ] || exit 9
    sleep 0.2
done
look
"""


class Grid:
    """A service of the VO testvo, its servers, and what people type at it."""

    def __init__(self, service: Deployment, ca: Settings, voms: Settings, myproxy: str, lost: str) -> None:
        self.service, self.ca, self.voms = service, ca, voms
        self.myproxy, self.lost = myproxy, lost
        self.daemons: dict[str, Wmsd] = {}

    def shell(self, name: str, file: str = "proxy") -> dict[str, str]:
        """The shell of alice or bob, with the proxy of this name."""
        home = f"{self.ca['CA_DIR']}/user-{name}"
        return {**self.service.environment(), "X509_USER_CERT": f"{home}/usercert.pem", "RANDFILE": self.path("rnd"),
                "X509_USER_KEY": f"{home}/userkey.pem", "X509_USER_PROXY": self.path(f"{name}.{file}"),
                "X509_VOMSES": self.voms["X509_VOMSES"], "X509_VOMS_DIR": self.voms["X509_VOMS_DIR"]}

    def day(self) -> dict[str, str]:
        """The shell of alice with a proxy that lasts."""
        return {**self.shell("alice"), "X509_USER_PROXY": str(self.service.site.proxy)}

    def path(self, name: str) -> str:
        return str(self.service.directory / name)

    def types(self, shell: dict[str, str], *words: str) -> CompletedProcess[str]:
        return subprocess.run(words, env=shell, cwd=self.service.directory, stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=PATIENCE_S, check=False)

    def sees(self, shell: dict[str, str], *words: str) -> str:
        done = self.types(shell, *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def submits(self, shell: dict[str, str], jdl: str) -> str:
        Path(self.path("job.jdl")).write_text(jdl)
        return str(json.loads(self.sees(shell, "job-submit", "--json", "--config", "client.conf", "job.jdl"))["jobid"])

    def status(self, job: str) -> dict[str, Any]:
        with self.service.client() as client:
            return dict(client.one_status(job))

    def events(self, job: str) -> list[dict[str, Any]]:
        with self.service.client() as client:
            return [dict(event) for event in client.events(job)]

    def registration(self, server: str) -> dict[str, Any]:
        """The credential that is to be renewed at this server; empty if none is."""
        found = self.service.json("wmsd", "renewals")["renewals"]
        return next((row for row in found if row["server"] == server), {})


@pytest.fixture(scope="module")
def voms(start: Callable[..., Settings], ca: Settings) -> Settings:
    port, database = free_ports(2)
    return start("voms", VOMS_PORT=str(port), VOMS_DB_PORT=str(database), CA_DIR=ca["CA_DIR"])


@pytest.fixture(scope="module")
def grid(start: Callable[..., Settings], ca: Settings, voms: Settings, workplace: Path) -> Iterator[Grid]:
    """Only members of /testvo/prod may submit. Of two MyProxy servers one is lost before anybody asks it."""
    ports = free_ports(2)
    start("myproxy", MYPROXY_PORT=str(ports[0]), CA_DIR=ca["CA_DIR"], MYPROXY_RENEWERS=HOST)
    with Deployment(workplace / "grid", slots=8) as service:
        made = Grid(service, ca, voms, *(f"localhost:{port}" for port in ports))
        configure(made)
        made.sees(made.shell("alice"), "wms", "proxy", "init", "--voms", f"testvo:{PRODUCTION}", "--out",
                  str(service.site.proxy))
        stored(made, ports[0])
        service.migrate()
        made.daemons = service.start_apart()
        yield made


def configure(grid: Grid) -> None:
    """As an administrator does: trust, policy, VOMS, renewal."""
    service, ca = grid.service, grid.ca
    shutil.rmtree(service.site.certificates)
    shutil.copytree(ca["X509_CERT_DIR"], service.site.certificates)
    Path(grid.path("rnd")).touch()
    Path(grid.path("client.conf")).write_text("[ DefaultProxyValidity = 0; ]")
    Path(grid.path("looks.sh")).write_text(LOOKS)
    anything = ["look", "delegate", "match", "read", "fetch", "clear", "modify", "cancel"]
    Path(grid.path("policy.yaml")).write_bytes(msgspec.yaml.encode({
        "rules": [{"name": "all members", "allow": anything, "who": {"vo": "testvo"}},
                  {"name": "producers", "allow": ["submit"], "who": {"fqan": "/testvo/prod/*"}}]}))
    service.configure(
        vo="testvo", policy=grid.path("policy.yaml"), ns={"min_proxy_s": 0.0},
        tls={"certificate": ca["HOST_CERT"], "key": ca["HOST_KEY"], "vomsdir": grid.voms["X509_VOMS_DIR"],
             "vomses": [grid.voms["X509_VOMSES"]]},
        proxyrenewal={"period_s": 1.0, "grace_s": 1.0, "lifetime_s": RENEWED_S})
    service.two_ports()
    service.ok("wmsd", "config", "check")


def stored(grid: Grid, port: int) -> None:
    """Alice lets the service renew her proxies."""
    shell = {**grid.shell("alice"), "MYPROXY_SERVER": "localhost", "MYPROXY_SERVER_PORT": str(port)}
    grid.sees(shell, "myproxy-init", "-d", "-n", "-x", "-R", HOST)


@pytest.fixture
def doomed(grid: Grid) -> str:
    """A job under way whose proxy ends soon and whose MyProxy server does not answer."""
    shell, day = grid.shell("alice", "short"), proxy.load(grid.service.site.proxy.read_bytes())
    key = proxy.new_key()
    made = proxy.new_proxy(day.chain, day.key, key.public_key(), time.time(), DOOMED_S, serial=4711)
    path = Path(shell["X509_USER_PROXY"])
    path.touch(0o600)
    path.write_bytes(proxy.dump(made, key, day.chain))
    job = grid.submits(shell, f"""[ Executable = "/bin/sh"; RetryCount = 3; MyProxyServer = "{grid.lost}";
                                    Arguments = "-c 'echo begun >>{grid.path('begun')}; {SLEEPS}'"; ]""")
    until(lambda: Path(grid.path("begun")).exists(), "the payload to begin")
    until(lambda: grid.registration(grid.lost).get("failures") == 1, "the first attempt at renewal")
    return job


# -- who is let in ---------------------------------------------------------------------------------------


def test_a_member_without_the_group_may_ask_but_not_submit(grid: Grid) -> None:
    shell = grid.shell("bob")
    grid.sees(shell, "wms", "proxy", "init", "--voms", "testvo", "--valid", "1:00")
    Path(grid.path("hello.jdl")).write_text('[ Executable = "/bin/true"; ]')
    grid.sees(shell, "job-list-match", "hello.jdl")
    refused = grid.types(shell, "job-submit", "hello.jdl")
    assert refused.returncode == 1
    assert "**** Error: WMS_POLICY ****" in refused.stderr


def test_who_is_no_member_may_nothing(grid: Grid) -> None:
    shell = grid.shell("alice", "plain")
    grid.sees(shell, "grid-proxy-init", "-rfc", "-q", "-bits", "2048", "-out", shell["X509_USER_PROXY"])
    Path(grid.path("hello.jdl")).write_text('[ Executable = "/bin/true"; ]')
    assert "**** Error: WMS_POLICY ****" in grid.types(shell, "job-list-match", "hello.jdl").stderr


# -- renewed ---------------------------------------------------------------------------------------------


def test_running_jobs_see_longer_proxies_with_the_same_attributes(grid: Grid) -> None:
    """Proxy Renewal is killed before and is there again once both payloads have looked."""
    grid.daemons["proxyrenewal"].kill()
    shells = {name: grid.shell("alice", name) for name in ("voms", "wms")}
    member = f"testvo:{PRODUCTION}"
    shell = shells["voms"]
    grid.sees(shell, "voms-proxy-init", "-rfc", "-voms", member, "-valid", "0:04", "-vomses", shell["X509_VOMSES"],
              "-cert", shell["X509_USER_CERT"], "-key", shell["X509_USER_KEY"], "-out", shell["X509_USER_PROXY"])
    grid.sees(shells["wms"], "wms", "proxy", "init", "--voms", member, "--valid", "0:04")
    jobs = {name: grid.submits(shell, f"""[
        Executable = "looks.sh"; Arguments = "{grid.path(name)}.looks"; InputSandbox = {{"looks.sh"}};
        Environment = {{"X509_CERT_DIR={grid.voms['X509_CERT_DIR']}", "X509_VOMS_DIR={grid.voms['X509_VOMS_DIR']}"}};
        StdOutput = "out"; StdError = "err"; OutputSandbox = {{"out", "err"}}; MyProxyServer = "{grid.myproxy}"; ]""")
            for name, shell in shells.items()}
    until(lambda: all(Path(f"{grid.path(name)}.looks").exists() for name in jobs), "the payloads to look")
    grid.daemons["proxyrenewal"] = grid.service.start("proxyrenewal")
    for name, job in jobs.items():
        grid.sees(shells[name], "job-status", "--watch", job)
        assert grid.status(job)["state"] == "Done", grid.status(job)
        grid.sees(shells[name], "job-output", "--dir", name, job)
        out = next(Path(grid.path(name)).rglob("out"))
        assert (out.parent / "err").read_text() == ""
        before, after = looks(out.read_text())
        assert before.fqans == after.fqans
        assert before.fqans[0].startswith(PRODUCTION)
        assert 0 < before.ends - time.time() <= 240
        assert RENEWED_S - 300 < after.ends - time.time() <= RENEWED_S + 60
        assert Counter(event["type"] for event in grid.events(job))["Done"] == 2, "told by the node and by the service"
    until(lambda: not grid.registration(grid.myproxy), "the registrations to be dropped with their jobs")


class Look(NamedTuple):
    """What a payload saw of its proxy: the end (epoch s) of the leaf, the FQANs."""

    ends: float
    fqans: list[str]


def looks(text: str) -> list[Look]:
    """Of the lines that `looks.sh` prints."""
    found: list[Look] = []
    for line in text.splitlines():
        if line.startswith("notAfter="):
            found.append(Look(ssl.cert_time_to_seconds(line.partition("=")[2]), []))
        else:
            found[-1].fqans.append(line)
    return found


# -- not renewed -----------------------------------------------------------------------------------------


@pytest.mark.timeout(200)
def test_a_job_whose_proxy_cannot_be_renewed_is_warned_and_ends_whoever_is_killed(grid: Grid, doomed: str) -> None:
    """Jobs of others that come meanwhile run once each."""
    print(f"WMS_KILL_SEED={SEED}")
    shell, chance, ran = grid.day(), random.Random(SEED), Path(grid.path("ran"))
    others: list[str] = []
    failed_at = grid.registration(grid.lost)["not_after"] - DOOMED_S
    while time.time() < failed_at + QUIET_S:
        for victim in chance.sample(VICTIMS, 2):
            grid.daemons[victim].kill()
            grid.daemons[victim] = grid.service.start(victim)
        others.append(grid.submits(
            shell, f"""[ Executable = "/bin/sh"; Arguments = "-c 'echo {len(others)} >>{ran}'"; ]"""))
    until(lambda: tag(grid.status(doomed)), "the warning", DOOMED_S)
    assert f"Credential: failed: the MyProxy server {grid.lost} cannot be reached" in " ".join(
        grid.sees(shell, "job-status", doomed).split())
    assert grid.lost in grid.sees(shell, "job-logging-info", "-v", "2", "--event", "UserTag", doomed)
    until(lambda: grid.status(doomed)["state"] == "Aborted", "the job to end")
    shown = " ".join(grid.sees(shell, "job-status", doomed).split())
    assert re.search("proxy expired: the credential of the job ended .* its renewal failed 2 times, the last time "
                     f"with: the MyProxy server {grid.lost} cannot be reached", shown), shown
    until(lambda: not any(SLEEPS in command for command in belonging_to(grid.service.directory).values()),
          "the payload to be ended, which is asked for with the end of its job")
    assert Path(grid.path("begun")).read_text() == "begun\n"
    types = Counter(event["type"] for event in grid.events(doomed))
    assert (types["Abort"], types["UserTag"], types["Resubmission"]) == (1, 1, 0)
    for job in others:
        until(lambda job=job: grid.status(job)["state"] == "Done", f"{job} to be done")
    assert Counter(ran.read_text().split()) == Counter(str(number) for number in range(len(others)))
    until(lambda: not grid.service.queue(), "the queue to become empty, with nothing buried")


def tag(status: dict[str, Any]) -> str:
    """What Proxy Renewal told the owner last."""
    return str(status.get("user_tags", {}).get("proxy_renewal", ""))
