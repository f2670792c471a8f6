"""Delegating by hand, with the commands as they are typed: under a name, looked at, renewed, used, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from deployment import Deployment, until
from people import Person, owner, someone

from tests.suite.leaks import files, found
from wms.x509.proxy import key_pem, load_key

PLAIN = 'Executable = "/bin/true";'


@pytest.fixture
def alice(deployment: Deployment, workplace: Path) -> Person:
    deployment.start()
    return owner(deployment, workplace / "alice")


def field(text: str, label: str) -> str:
    """The value of a line `Label      : value`."""
    (found,) = [line.partition(" : ")[2] or line.partition(": ")[2] for line in text.splitlines()
                if line.startswith(label)]
    return found


def test_a_proxy_is_delegated_looked_at_used_and_renewed(alice: Person, workplace: Path):
    ran = alice.sees("job-delegate-proxy", "-d", "mine", "-o", "note")
    assert "with the delegation identifier: mine" in ran.out
    note = (alice.home / "note").read_text()
    assert [line.split()[-1] for line in note.splitlines() if "delegation" in line][-1] == "mine"
    about = alice.sees("glite-wms-job-info", "-d", "mine").out
    assert field(about, "Type").startswith("RFC 3820")
    assert "with delegationID mine: " in about
    job = alice.submits(PLAIN, "-d", "mine")
    of_job = alice.sees("job-info", "--proxy", job).out
    assert field(of_job, "Expiration") == field(about, "Expiration")
    assert alice.sees("job-info", "--json", "-d", "mine").document["kind"] == "certificate"
    alice.sees("glite-wms-job-delegate-proxy", "-d", "mine")
    assert f'edg_jobid = "{job}"' in alice.sees("job-info", "--jdl", job).out
    assert "edg_jobid" not in alice.sees("job-info", "-j", job).out
    bob = someone(alice.service, workplace / "bob", "bob")
    bob.is_refused("NS_NOT_FOUND", "job-info", "-d", "mine")
    bob.is_refused("NS_NOT_OWNER", "job-info", "-p", job)


def test_what_the_service_holds_is_listed_and_destroyed(alice: Person):
    assert "holds nothing" in alice.sees("wms", "delegations", "list").out
    alice.sees("job-delegate-proxy", "-d", "mine")
    alice.sees("job-delegate-proxy", "-d", "other")
    job = alice.submits('Executable = "/bin/sleep"; Arguments = "1000";', "-d", "mine")
    _heads, *rows = alice.sees("wms", "delegations", "list").out.splitlines()
    assert [(row.split()[0], row.split()[3]) for row in rows] == [("mine", "1"), ("other", "0")]
    assert "other" in alice.sees("wms", "delegations", "destroy", "other").out
    assert "1 jobs" in alice.is_refused("NS_OPERATION_NOT_ALLOWED", "wms", "delegations", "destroy", "mine")
    alice.sees("job-cancel", "--noint", job)
    alice.sees("wms", "delegations", "destroy", "mine", "--force")
    found = alice.sees("wms", "delegations", "list", "--json").out
    assert json.loads(found)["delegations"] == []


def test_a_name_can_be_invented_and_must_be_said(alice: Person):
    ran = alice.sees("job-delegate-proxy", "-a")
    (line,) = [line for line in ran.out.splitlines() if "delegation" in line]
    invented = line.split()[-1]
    assert "automatically generated" in line
    alice.sees("job-info", "-d", invented)
    assert "No delegationId found" in alice.types("job-delegate-proxy").err
    assert alice.types("job-delegate-proxy", "-a", "-d", "x").status != 0
    assert alice.types("job-info").status != 0
    assert alice.types("job-info", "-d", "x", "-p", "y").status != 0
    alice.is_refused("NS_NOT_FOUND", "job-info", "-d", "nothing")


def test_credentials_that_others_can_read_keep_the_service_from_starting(deployment: Deployment, workplace: Path):
    alice = owner(deployment, workplace / "alice")
    first = deployment.start()
    alice.sees("job-delegate-proxy", "-d", "mine")
    first.terminate()
    directory = deployment.site.state / "credentials"
    assert {path.stat().st_mode & 0o077 for path in [directory, *directory.rglob("*")]} == {0}
    directory.chmod(0o750)
    second = deployment.spawn()
    assert second.process.wait(60) == 2
    assert "can be read by others" in second.log.read_text()


def test_real_processes_write_no_secret(deployment: Deployment, workplace: Path):
    """Rows, logs, heartbeats and sandboxes of a service that ran a job; the CE and the credentials have them."""
    alice = owner(deployment, workplace / "alice")
    process = deployment.start()
    alice.sees("job-delegate-proxy", "-d", "mine")
    job = alice.submits('Executable = "/bin/cat"; Arguments = ".BrokerInfo"; StdOutput = "o"; OutputSandbox = {"o"};',
                        "-d", "mine")
    with alice.client() as client:
        until(lambda: client.one_status(job)["state"] == "Done", "the job to be done")
    alice.types("job-delegate-proxy", "-d", "mine", X509_USER_PROXY=str(workplace / "nothing"))
    state = deployment.site.state
    secrets = {path.name: key_pem(load_key(path.read_bytes())) for path in (state / "credentials").glob("*.pem")}
    secrets["capabilities"] = (state / "capability.key").read_bytes()
    secrets["alice"] = key_pem(load_key(alice.proxy.read_bytes()))
    assert len(secrets) == 3
    process.terminate()
    assert found(secrets, files(state, "credentials", "ce", "capability.key")) == []
    assert found(secrets, files(deployment.directory / "log")) == []
    assert found(secrets, files(state / "credentials")) != []
