"""`wms ce check` of a real Slurm and of a real A-REX before it: what it finds out, and what cannot be known there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batch_system import Slurm, only, slurm

from tests.components import Settings, Start
from tests.e2e.deployment import Deployment, until
from tests.ports import free_port
from wms.ce.check import PROBES

ALICE = "/DC=org/DC=example/OU=People/CN=alice"
ELSEWHERE = {"containers", "cvmfs"}
"""Depends on what this machine has."""


@pytest.fixture(scope="module")
def cluster(start: Start) -> Slurm:
    return slurm(start, "check", nodes=1, cpus=2)


@pytest.fixture(scope="module")
def arc_url(start: Start, ca: Settings, cluster: Slurm) -> str:
    return start("arc", ARC_PORT=str(free_port()), ARC_LRMS="slurm", ARC_QUEUES="main", SLURM_CONF=cluster.conf,
                 ARC_INFO_PERIOD="4", CA_DIR=ca["CA_DIR"])["ARC_URL"]


@pytest.fixture(scope="module")
def service(cluster: Slurm, arc_url: str, ca: Settings, workplace: Path,
            program: Callable[..., subprocess.CompletedProcess[str]]) -> Iterator[Deployment]:
    """Each daemon a process of its own; alice of the test CA administers it."""
    with Deployment(workplace / "wms-check") as deployment:
        shutil.rmtree(deployment.site.certificates)
        shutil.copytree(ca["X509_CERT_DIR"], deployment.site.certificates)
        done = program("grid-proxy-init", "globus-proxy-utils", "-q", "-rfc", "-bits", "2048", "-out",
                       str(deployment.site.proxy), env={
                           "X509_CERT_DIR": ca["X509_CERT_DIR"], "X509_USER_PROXY": "/nonexistent",
                           "X509_USER_CERT": f"{ca['CA_DIR']}/user-alice/usercert.pem",
                           "X509_USER_KEY": f"{ca['CA_DIR']}/user-alice/userkey.pem"})
        assert done.returncode == 0, done.stdout + done.stderr
        deployment.two_ports()
        only(deployment, cluster=cluster.settings(),
             arc={"backend": "arc", "url": arc_url, "ca_dir": ca["X509_CERT_DIR"], "part_s": 0.5})
        deployment.configure(tls={"certificate": ca["HOST_CERT"], "key": ca["HOST_KEY"]}, lb={"super_users": [ALICE]})
        deployment.migrate()
        deployment.start_apart()
        yield deployment


def checked(service: Deployment, *words: str) -> dict[str, str]:
    """Probe -> its result; nothing may fail."""
    done = service.run("wms", "ce", "check", *words, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["good"] is True
    found = {one["name"]: one["result"] for one in report["probes"]}
    assert list(found) == [row.name for row in PROBES]
    return {name: result for name, result in found.items() if name not in ELSEWHERE}


def test_a_slurm_without_accounts_does_all_the_rest(service: Deployment, cluster: Slurm) -> None:
    found = checked(service, "cluster")
    assert {name for name, result in found.items() if result != "ok"} == {"accounting"}  # this one has no slurmdbd
    until(lambda: not cluster.queue(), "the test jobs to be gone")


def test_an_arc_ce_is_checked_under_a_delegated_proxy(service: Deployment, cluster: Slurm) -> None:
    service.ok("job-delegate-proxy", "-d", "mine")
    found = checked(service, "arc", "--delegation", "mine")
    assert {name for name, result in found.items() if result != "ok"} == {"token"}
    until(lambda: not cluster.queue(), "the test jobs to be gone")
