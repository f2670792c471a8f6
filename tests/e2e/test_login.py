"""People and robots with nothing but a token: they log in, submit, follow and fetch, as the commands are typed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from deployment import PATIENCE_S, Deployment
from people import Person, TokenHolder, ca_of, owner, someone, token_holder

from clients import tokens
from clients.api import Client
from tests.issuer import TOKEN, Issuer

HELLO = '[Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; OutputSandbox = {"out"};]'


@pytest.fixture
def issuer(deployment: Deployment) -> Iterator[Issuer]:
    """An issuer that the service trusts, whose refresh tokens may be shared."""
    with Issuer(ca_of(deployment), rotates_refresh=False) as served:
        deployment.configure(tokens={"issuers": {served.url: {"vo": "local"}}})
        yield served


@pytest.fixture
def service(deployment: Deployment, issuer: Issuer) -> Deployment:
    deployment.start()
    return deployment


def log_in(person: TokenHolder, issuer: Issuer, *words: str, subject: str = "alice") -> str:
    """`wms login`, approved at once; what it prints."""
    process = person.begins("wms", "login", "--issuer", issuer.url, "--client-id", "laptop", *words)
    assert process.stdout is not None
    code = re.search(r"the code (\S+)$", process.stdout.readline().strip())
    assert code is not None
    issuer.approve(code[1], subject)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, err) == (0, "")
    return out


def done(person: Person, job: str) -> str:
    """The job's standard output, once it is done."""
    person.sees("job-status", "--watch", job)
    person.sees("job-output", "--dir", "got", job)
    return next((person.home / "got").rglob("out")).read_text()


def test_somebody_without_a_certificate_logs_in_submits_follows_and_fetches(service: Deployment, issuer: Issuer,
                                                                          tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    assert f"You are alice of {issuer.url}." in log_in(alice, issuer)
    job = alice.submits(HELLO)
    assert done(alice, job) == "hello\n"
    assert job in alice.sees("job-status", "--all").out
    assert "Done" in alice.sees("job-logging-info", job).out


def test_every_other_command_takes_the_token(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice", issuer.mint())
    name = alice.writes("job.jdl", HELLO)
    assert alice.sees("job-list-match", "--json", name).document["ceid"]
    job = alice.submits('[Executable = "/bin/sleep"; Arguments = "600"; PerusalFileEnable = true; '
                        'PerusalTimeInterval = 5; StdOutput = "out"; OutputSandbox = {"out"};]')
    alice.sees("job-perusal", "--set", "--filename", "out", job)
    assert job in alice.sees("lb-job-status", job).out
    alice.sees("lb-job-log", job)
    assert job in alice.sees("lb-user-jobs").out
    alice.sees("job-cancel", "--noint", job)
    assert "Cancelled" in alice.sees("job-status", "--watch", job).out


def test_jobs_of_one_token_are_not_anothers(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice", issuer.mint())
    bob = token_holder(service, tmp_path / "bob", issuer.mint(sub="bob"))
    job = alice.submits(HELLO)
    for words in (["job-status"], ["job-cancel", "--noint"], ["job-output"]):
        assert bob.types(*words, job).status == 1
    alice.sees("lb-change-acl", job, f"sub:{issuer.url}#bob")
    assert job in bob.sees("job-status", job).out
    assert done(alice, job) == "hello\n"


def test_a_token_without_the_scope_cannot_submit(service: Deployment, issuer: Issuer, tmp_path: Path):
    reader = token_holder(service, tmp_path / "reader", issuer.mint(scope="compute.read"))
    reader.writes("job.jdl", HELLO)
    reader.is_refused("WMS_TOKEN_SCOPE", "job-submit", "job.jdl")


def test_an_expired_token_is_found_out_before_anything_is_sent(service: Deployment, issuer: Issuer, tmp_path: Path):
    late = token_holder(service, tmp_path / "late", issuer.mint(exp=int(time.time()) - 5))
    said = late.is_refused("WMS_TOKEN_EXPIRED", "job-status", "--all", WMS_ENDPOINT="https://localhost:1")
    assert "Your bearer token has expired" in said
    late.holds(issuer.mint(exp=int(time.time()) + 30))
    late.writes("job.jdl", HELLO)
    late.is_refused("WMS_TOKEN_DURATION", "job-submit", "job.jdl", WMS_ENDPOINT="https://localhost:1")
    late.holds("nothing like a token")
    late.is_refused("WMS_TOKEN_INVALID", "job-status", "--all", WMS_ENDPOINT="https://localhost:1")
    late.proxy.unlink()
    late.is_refused("WMS_TOKEN_NOT_FOUND", "job-status", "--all", WMS_ENDPOINT="https://localhost:1")


def test_a_token_is_not_sent_to_a_server_that_an_identifier_names(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice", issuer.mint())
    alice.is_refused("WMS_TOKEN_WITHHELD", "job-status", "https://localhost:1/AAAAAAAAAAAAAAAAAAAAAA")


def test_a_login_that_ended_is_renewed_with_one_sentence(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    issuer.lifetime_s = 20
    log_in(alice, issuer)
    issuer.lifetime_s = 3600
    alice.writes("job.jdl", HELLO)
    ran = alice.sees("job-submit", "--output", "ids", "job.jdl")
    assert ran.err == f"Your token was renewed at {issuer.url}.\n"
    assert alice.sees("job-status", "--watch", "--input", "ids", "--noint").err == ""


def test_a_robot_logs_in_by_its_secret(service: Deployment, issuer: Issuer, tmp_path: Path):
    issuer.secrets["robot"] = "s3cr3t"
    robot = token_holder(service, tmp_path / "robot")
    robot.writes("secret", "s3cr3t\n")
    words = ("wms", "login", "--issuer", issuer.url, "--client-id", "robot", "--client-secret-file", "secret")
    robot.is_refused("UI_CONFIG_ATTRIBUTE", *words, status=2)
    (robot.home / "secret").chmod(0o600)
    assert robot.sees(*words, "--json").document["subject"] == "robot"
    assert done(robot, robot.submits(HELLO)) == "hello\n"


def test_giving_up_a_login_leaves_no_trace_and_neither_does_interrupting_one(service: Deployment, issuer: Issuer,
                                                                             tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    process = alice.begins("wms", "login", "--issuer", issuer.url, "--client-id", "laptop")
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in out + err) == (130, False)
    assert [path.name for path in alice.home.rglob("*") if path.is_file()] == []
    log_in(alice, issuer)
    assert alice.sees("wms", "logout").out.count("Removed ") == 2
    assert [path.name for path in alice.home.rglob("*") if path.is_file()] == []
    alice.is_refused("WMS_TOKEN_NOT_FOUND", "wms", "token", "info")


def test_the_issuer_may_be_configured(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    conf = alice.writes("wms.conf", f'[TokenIssuer = "{issuer.url}"; TokenClientId = "laptop"; '
                                    'TokenScope = "compute.read"]')
    process = subprocess.Popen(service.command("wms", "login", "--config", conf), env=alice.environment(), text=True,
                               cwd=alice.home, stdout=subprocess.PIPE)
    assert process.stdout is not None
    issuer.approve(process.stdout.readline().split()[-1])
    process.communicate(timeout=PATIENCE_S)
    shown = alice.sees("wms", "token", "info").out
    assert "scope     : compute.read\n" in shown
    assert tokens.claims((alice.home / "token").read_text().strip())["sub"] == "alice"


def test_no_token_is_in_a_log_of_either_side(service: Deployment, issuer: Issuer, tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    log_in(alice, issuer)
    name = alice.writes("job.jdl", HELLO)
    said = alice.sees("job-submit", "--debug", "--logfile", "log", "--output", "ids", name)
    alice.sees("job-status", "--watch", "--input", "ids", "--noint")
    secrets = [(alice.home / "token").read_text().strip(), *issuer.refresh_tokens]
    texts = [said.out, said.err, (alice.home / "log").read_text(), service.running[0].log.read_text()]
    assert [one for one in secrets if any(one in text for text in texts)] == []
    assert all(len(one) > 20 for one in secrets)


def test_the_python_client_finds_the_token(service: Deployment, issuer: Issuer, tmp_path: Path,
                                           monkeypatch: pytest.MonkeyPatch):
    alice = token_holder(service, tmp_path / "alice", issuer.mint())
    for name in list(os.environ):
        monkeypatch.delenv(name)
    for name, value in alice.environment().items():
        monkeypatch.setenv(name, value)
    with Client.from_environment(needed_s=1200) as client:
        job = client.submit(HELLO).job
        assert [status["jobId"] for status in client.jobs()] == [job]
        assert [status["state"] for status in client.watch(job)][-1] == "Done"


def test_a_certificate_and_a_token_of_one_owner_are_one(deployment: Deployment, issuer: Issuer, tmp_path: Path):
    jane = someone(deployment, tmp_path / "jane", "jane")
    policy = deployment.directory / "policy.yaml"
    dn = jane.sees("wms", "proxy", "info", "-identity").out.strip()
    policy.write_bytes(msgspec.yaml.encode({"owners": [
        {"owner": dn, "is": [{"issuer": issuer.url, "subject": "jane"}]}]}))
    deployment.configure(policy=str(policy))
    deployment.start()
    same = token_holder(deployment, tmp_path / "same", issuer.mint(sub="jane"))
    first, second = jane.submits(HELLO), same.submits(HELLO)
    for person in (jane, same):
        shown = person.sees("job-status", "--all", "--noint").out
        assert first in shown
        assert second in shown
    assert done(same, first) == "hello\n"
    assert done(jane, second) == "hello\n"


def test_a_refresh_token_is_given_to_the_service_when_it_can_be_shared(service: Deployment, issuer: Issuer,
                                                                       tmp_path: Path):
    alice = token_holder(service, tmp_path / "alice")
    log_in(alice, issuer)
    before = issuer.requests[TOKEN]
    done(alice, alice.submits(HELLO))
    assert issuer.requests[TOKEN] == before + 1


def test_the_suites_own_user_needs_no_token(service: Deployment, tmp_path: Path):
    mine = owner(service, tmp_path / "home")
    assert done(mine, mine.submits(HELLO)) == "hello\n"
