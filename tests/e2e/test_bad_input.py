"""What users do wrong against a running service: one clear refusal each, and nothing half-done is left behind."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from deployment import Deployment, free_ports, until
from people import Person, owner, someone

from wms.x509.authority import make_authority

TRUE = 'Executable = "/bin/true";'
ECHO = 'Executable = "/bin/echo"; Arguments = "hello"; StdOutput = "out"; OutputSandbox = {"out"};'
CA_DN = "/DC=local/DC=wms/CN=Private CA"
LIMIT = 10_000_000


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("bad") / "wms") as made:
        made.start()
        yield made


@pytest.fixture(scope="module")
def user(service: Deployment) -> Person:
    person = owner(service, service.directory / "home")
    person.writes("good.jdl", ECHO)
    return person


@pytest.fixture(scope="module")
def bob(service: Deployment) -> Person:
    return someone(service, service.directory / "bob", "bob")


@pytest.fixture(scope="module")
def job(user: Person) -> str:
    """A job of the user that is done."""
    found = user.submits(ECHO)
    user.sees("job-status", "--watch", found)
    return found


def on_record(service: Deployment) -> tuple[int, int]:
    """How many jobs the Network Server and LB know, once nothing is on its way."""
    until(lambda: not [topic for topic, _buried, _error in service.queue() if topic == "lb"], "LB to have read all")
    with closing(sqlite3.connect(service.site.state / "wms.sqlite")) as connection:
        return tuple(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # type: ignore[return-value]
                     for table in ("ns_jobs", "lb_jobs"))


@pytest.fixture
def nothing_done(service: Deployment, user: Person, job: str) -> Iterator[None]:
    """The test leaves no job behind, and changes none."""
    before, events = on_record(service), count_events(user, job)
    yield
    assert (on_record(service), count_events(user, job)) == (before, events)


def count_events(user: Person, job: str) -> int:
    with user.client() as client:
        return len(client.events(job))


pytestmark = pytest.mark.usefixtures("nothing_done")


# -- credentials -----------------------------------------------------------------------------------------


def test_an_expired_proxy(service: Deployment, user: Person, tmp_path: Path):
    late = someone(service, tmp_path / "late", "late", made=time.time() - 7200, life_s=3600)
    late.writes("good.jdl", ECHO)
    late.is_refused("UI_PROXY_EXPIRED", "job-submit", "good.jdl")


def test_a_proxy_that_will_soon_end(service: Deployment, tmp_path: Path):
    hasty = someone(service, tmp_path / "hasty", "hasty", life_s=200)
    hasty.writes("good.jdl", ECHO)
    assert "minutes" in hasty.is_refused("UI_PROXY_DURATION", "job-submit", "good.jdl")
    hasty.writes("ui.conf", "[ DefaultProxyValidity = 1; ]")
    hasty.is_refused("UI_PROXY_DURATION", "job-submit", "--config", "ui.conf", "good.jdl")


@pytest.mark.parametrize("dn", ["/DC=elsewhere/CN=Unknown CA", CA_DN])
def test_a_proxy_of_an_unknown_authority(service: Deployment, tmp_path: Path, job: str, dn: str):
    """Even of one that calls itself like the one we know."""
    ca = make_authority(time.time(), serial=7, dn=dn, kind="ec")
    stranger = someone(service, tmp_path / "stranger", "stranger", ca=ca)
    stranger.writes("good.jdl", ECHO)
    stranger.is_refused("UI_PROXY_UNTRUSTED", "job-submit", "good.jdl")
    stranger.is_refused("UI_PROXY_UNTRUSTED", "job-status", job)
    stranger.is_refused("UI_PROXY_UNTRUSTED", "job-output", job)


def test_the_job_of_somebody_else(bob: Person, job: str):
    for program, words in (("job-status", ()), ("job-logging-info", ()), ("job-cancel", ("--noint",)),
                           ("job-output", ("--dir", "stolen"))):
        assert "somebody else" in bob.is_refused("NS_NOT_OWNER", program, *words, job)
    assert not (bob.home / "stolen").exists()
    bob.is_refused("UI_NO_JOB_FOUND", "job-status", "--all")


# -- jobs that are not there -----------------------------------------------------------------------------


def test_a_job_that_was_never_there(user: Person, job: str):
    unknown = job[:-22] + "A" * 22
    for program in ("job-status", "job-logging-info", "job-output"):
        user.is_refused("NS_NO_SUCH_JOB", program, unknown)
    user.is_refused("NS_NO_SUCH_JOB", "job-cancel", "--noint", unknown)


def test_a_job_of_another_server(user: Person, job: str):
    (closed,) = free_ports(1)
    other = f"https://localhost:{closed}/{job[-22:]}"
    user.is_refused("LB_API_OPEN", "job-status", other)
    user.is_refused("LB_API_OPEN", "job-cancel", "--noint", other)
    user.is_refused("LB_API_OPEN", "job-output", other)


def test_a_word_that_is_no_identifier(user: Person):
    for word in ("job-1", "https://localhost", "http://localhost:9000/" + "A" * 22, "https://localhost:99999/x"):
        user.is_refused("UI_WRONG_JOBID_FORMAT", "job-status", word)


def test_output_that_cannot_be_stored_stays_where_it_is(user: Person, job: str):
    user.writes("file", "not a directory")
    for place in ("file", "file/below", "/proc/none"):
        user.is_refused("UI_WRITE_FILE", "job-output", "--dir", place, job)
    assert user.sees("job-output", "--nopurge", "--dir", "kept", job).status == 0


# -- submissions -----------------------------------------------------------------------------------------


def test_a_server_that_is_down(user: Person):
    (closed,) = free_ports(1)
    message = user.is_refused("UI_NO_NS_CONTACT", "job-submit", "good.jdl",
                              WMS_ENDPOINT=f"https://localhost:{closed}")
    assert f"localhost:{closed}" in message


def test_a_computing_element_that_nobody_knows(user: Person):
    user.is_refused("UI_WRONG_RESOURCE_ID", "job-submit", "-r", "ce.example.org:2119/jobmanager-pbs-long", "good.jdl")


def test_a_syntax_error(user: Person):
    user.writes("bad.jdl", 'Executable = "/bin/true";\nArguments = ;\n')
    assert "bad.jdl" in (message := user.is_refused("UI_JDL_WRONG_SYNTAX", "job-submit", "bad.jdl"))
    assert "row 2, column 13" in message


def test_a_sandbox_file_that_is_missing(user: Person):
    user.writes("job.jdl", 'Executable = "/bin/cat"; InputSandbox = {"none.dat"};')
    assert f"{user.home}/none.dat" in user.is_refused("UI_JDL_NO_AVAIL_FILE", "job-submit", "job.jdl")


def test_a_sandbox_file_that_is_one_byte_too_large(user: Person):
    with open(user.home / "large", "wb") as file:
        file.truncate(LIMIT + 1)
    user.writes("job.jdl", 'Executable = "/bin/cat"; InputSandbox = {"large"};')
    message = user.is_refused("NS_SANDBOX_TOO_LARGE", "job-submit", "job.jdl")
    assert str(LIMIT + 1) in message
    assert str(LIMIT) in message


def test_kinds_of_jobs_that_cannot_be_combined(user: Person):
    user.writes("job.jdl", f'{TRUE} JobType = {{"Interactive", "MPICH"}}; CpuNumber = 2;')
    assert user.types("job-submit", "job.jdl").status == 1
