"""Proxies that people make with `wms proxy`, and delegations they name, before a real service."""

from __future__ import annotations

import stat
import time
from dataclasses import replace
from pathlib import Path

import pytest
from deployment import Deployment
from people import Person, ca_of

from wms.x509 import authority

HELLO = '[Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; OutputSandbox = {"out"};]'


@pytest.fixture
def service(deployment: Deployment) -> Deployment:
    deployment.start()
    return deployment


def newcomer(service: Deployment, home: Path, kind: str = "rsa:2048") -> Person:
    """Somebody with a new certificate in ~/.globus and no proxy yet."""
    issued = authority.user_certificate(ca_of(service), "newcomer", time.time(), serial=77, kind=kind)
    (home / ".globus").mkdir(parents=True)
    for name, content, mode in (("usercert.pem", issued.certificate, 0o644), ("userkey.pem", issued.key, 0o600)):
        (home / ".globus" / name).write_bytes(content)
        (home / ".globus" / name).chmod(mode)
    return Person(service, home, home / "proxy")


def finished(person: Person, job: str) -> str:
    """The states of a job that was followed to its end."""
    return person.sees("job-status", "--watch", job).out


@pytest.mark.parametrize(("kind", "words"), [("rsa:2048", []), ("ec", []), ("ec", ["--ec", "--path-length", "2"])])
def test_a_new_proxy_submits_a_job(service: Deployment, tmp_path: Path, kind: str, words: list[str]):
    person = newcomer(service, tmp_path / "home", kind)
    person.writes("job.jdl", HELLO)
    person.is_refused("UI_PROXY_NOT_FOUND", "job-submit", "job.jdl")
    person.sees("wms", "proxy", "init", *words)
    assert stat.S_IMODE(person.proxy.stat().st_mode) == 0o600
    assert "Done" in finished(person, person.submits(HELLO))
    person.sees("wms", "proxy", "destroy")
    person.is_refused("UI_PROXY_NOT_FOUND", "job-status", "--all")


def test_a_proxy_may_be_remade_and_made_of_a_proxy(service: Deployment, tmp_path: Path):
    person = newcomer(service, tmp_path / "home")
    person.sees("wms", "proxy", "init")
    first = person.submits(HELLO)
    person.sees("wms", "proxy", "init")
    person.sees("wms", "proxy", "init", "-cert", "proxy", "-key", "proxy", "-out", "deeper")
    deeper = replace(person, proxy=person.home / "deeper")
    assert "Done" in finished(deeper, deeper.submits(HELLO))
    assert "Done" in finished(person, first)


def test_what_a_limited_or_short_proxy_cannot_do(service: Deployment, tmp_path: Path):
    person = newcomer(service, tmp_path / "home", "ec")
    person.writes("job.jdl", HELLO)
    person.sees("wms", "proxy", "init", "-limited")
    person.is_refused("WMS_PROXY_LIMITED", "job-submit", "job.jdl")
    person.sees("wms", "proxy", "init", "-valid", "0:05")
    assert "will expire in" in person.is_refused("UI_PROXY_DURATION", "job-submit", "job.jdl")


def test_a_proxy_without_length_cannot_be_delegated(service: Deployment, tmp_path: Path):
    person = newcomer(service, tmp_path / "home", "ec")
    person.writes("job.jdl", HELLO)
    person.sees("wms", "proxy", "init", "--path-length", "0")
    person.is_refused("WMS_PROXY_RULES", "job-submit", "job.jdl")


def test_delegations_by_name_and_anew(service: Deployment, tmp_path: Path):
    person = newcomer(service, tmp_path / "home", "ec")
    person.writes("job.jdl", HELLO)
    person.sees("wms", "proxy", "init")
    person.is_refused("NS_DELEGATION_NEEDED", "job-submit", "-d", "mine", "job.jdl")
    person.is_refused("NS_NOT_FOUND", "job-list-match", "-d", "mine", "job.jdl")
    with person.client() as client:
        made = client.delegate("mine")
        assert made is not None
        assert made.id == "mine"
    jobs = [person.submits("job.jdl", "-delegationid", "mine"), person.submits("job.jdl", "-a")]
    person.sees("job-list-match", "-d", "mine", "job.jdl")
    person.sees("job-list-match", "--autm-delegation", "job.jdl")
    person.is_refused("UI_ARG_EXCLUSIVE", "job-submit", "-a", "-d", "mine", "job.jdl", status=2)
    person.is_refused("UI_ARG_MISMATCH", "job-submit", "-d", "a/b", "job.jdl", status=2)
    person.writes("conf", '[DelegationId = "other"]')
    person.is_refused("NS_DELEGATION_NEEDED", "job-submit", "--config", "conf", "--endpoint",
                      service.environment()["WMS_ENDPOINT"], "job.jdl")
    assert all("Done" in finished(person, job) for job in jobs)
