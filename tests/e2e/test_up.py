"""A suite of one's own by `wms up`, `ps` and `down`, as a user types them; its death and its second life."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import msgspec
import pytest
from deployment import PATIENCE_S, Deployment, belonging_to, until

from clients import site
from wms import beat

QUICK = {"logmonitor": {"poll_s": 1.0, "report_grace_s": 1.0}, "jobadapter": {"copy_first_wait_s": 1}}


@pytest.fixture
def suite(deployment: Deployment) -> Deployment:
    """A deployment whose payloads need not wait long when the service was away."""
    deployment.configure(**QUICK, ce={"local": {"backend": "local", "slots": 4, "poll_s": 1.0}})
    return deployment


def wms(suite: Deployment, word: str, *more: str) -> subprocess.CompletedProcess[str]:
    return suite.run("wms", word, "--dir", str(suite.directory), *more)


def up(suite: Deployment) -> str:
    return suite.ok("wms", "up", "--dir", str(suite.directory))


def pid_of(suite: Deployment) -> int:
    return until(lambda: site.running(suite.site), "the suite") or 0


def states(suite: Deployment, status: int) -> set[str]:
    """What `wms ps` says of the seven daemons; its exit status, which --json does not change."""
    found = wms(suite, "ps", "--json")
    rows = msgspec.json.decode(found.stdout)["daemons"]
    assert (found.returncode, wms(suite, "ps").returncode, len(rows)) == (status, status, 7)
    return {row["state"] for row in rows}


class Payload:
    """A job that notes each start of its payload in a file and goes on until it is told to end."""

    def __init__(self, suite: Deployment, name: str) -> None:
        self._starts, self._go = suite.directory / f"{name}.starts", suite.directory / f"{name}.go"
        script = f"echo $$ >>{self._starts}; until [ -e {self._go} ]; do sleep 0.1; done; echo ended"
        self.job = suite.submit(suite.jdl(script, f"{name}.jdl"))

    @property
    def starts(self) -> list[int]:
        return [int(pid) for pid in self._starts.read_text().split()] if self._starts.exists() else []

    def wait(self) -> int:
        """Its process, once it runs."""
        return until(lambda: self.starts, "the payload to start")[0]

    def end(self) -> None:
        self._go.touch()


def test_up_twice_is_harmless_and_down_leaves_nothing(suite: Deployment) -> None:
    assert up(suite).startswith("The suite is ready at https://localhost:")
    pid = pid_of(suite)
    assert up(suite).startswith("The suite was running at https://localhost:")
    assert (pid_of(suite), states(suite, 0)) == (pid, {"well"})
    lines = wms(suite, "env").stdout.splitlines()
    assert {line.partition("=")[0] for line in lines} == {
        "export WMS_ENDPOINT", "export X509_CERT_DIR", "export X509_USER_PROXY", "export WMS_DIR",
        "export WMS_CONFIG", "export WMS_INTERLOGGER_SPOOL"}
    assert wms(suite, "down").stdout == "The suite has stopped.\n"
    assert wms(suite, "down").stdout == "The suite was not running.\n"
    assert not belonging_to(suite.directory)
    assert wms(suite, "ps").returncode == 1


def test_two_at_once_start_one_suite(suite: Deployment) -> None:
    command = suite.command("wms", "up", "--dir", str(suite.directory))
    both = [subprocess.Popen(command, env=suite.environment(), text=True, stdout=subprocess.PIPE) for _ in range(2)]
    said = sorted(one.communicate(timeout=PATIENCE_S)[0].split(" at ")[0] for one in both)
    assert said == ["The suite is ready", "The suite was running"]
    assert len([one for one in belonging_to(suite.directory).values() if "wms.daemon" in one]) == 1


def test_down_during_up_stops_what_was_started(suite: Deployment) -> None:
    command = suite.command("wms", "up", "--dir", str(suite.directory))
    with subprocess.Popen(command, env=suite.environment(), stdout=subprocess.PIPE) as starting:
        until(lambda: [one for one in belonging_to(suite.directory).values() if "wms.daemon" in one], "its process")
        assert wms(suite, "down").stdout == "The suite has stopped.\n"
        starting.communicate(timeout=PATIENCE_S)
    assert not belonging_to(suite.directory)


def test_a_suite_that_cannot_start_says_why(suite: Deployment) -> None:
    suite.configure(ce={"big": {"backend": "nosuch"}})
    done = wms(suite, "up")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("**** Error: WMS_SUITE_FAILED ****\nce.big: no CE backend is called 'nosuch'")


def test_ps_tells_silent_from_dead(suite: Deployment) -> None:
    up(suite)
    pid = pid_of(suite)
    os.kill(pid, signal.SIGSTOP)
    path = beat.beat_path(str(suite.site.state), "suite")
    last = beat.read(path)
    assert last is not None
    beat.write(path, msgspec.structs.replace(last, time=last.time - 60))
    assert states(suite, 1) == {"silent"}
    os.kill(pid, signal.SIGCONT)
    until(lambda: wms(suite, "ps").returncode == 0, "the next heartbeat")
    assert states(suite, 0) == {"well"}
    os.kill(pid, signal.SIGKILL)
    until(lambda: states(suite, 1) == {"dead"}, "its end")
    assert "dead" in wms(suite, "ps").stdout


def test_jobs_outlive_a_suite_that_is_killed(suite: Deployment) -> None:
    """Payloads that run on, that end meanwhile, and jobs that wait: each runs exactly once and is Done."""
    up(suite)
    runs_on, ends_meanwhile, *others = payloads = [Payload(suite, f"job{n}") for n in range(6)]
    pids = [payload.wait() for payload in payloads[:4]]
    kill_suite(suite)
    assert wms(suite, "ps").returncode == 1
    ends_meanwhile.end()
    until(lambda: not alive(pids[1]), "the payload to end while nobody looks")
    assert alive(pids[0])
    assert up(suite).startswith("The suite is ready")
    suite.wait_state(ends_meanwhile.job, "Done")
    for payload in (runs_on, *others):
        payload.end()
    for payload in payloads:
        suite.wait_state(payload.job, "Done")
    assert [len(payload.starts) for payload in payloads] == [1] * 6
    assert [payload.wait() for payload in payloads[:4]] == pids
    until(lambda: suite.queue() == [], "the queue to become empty")


def test_down_lets_payloads_go_on(suite: Deployment) -> None:
    up(suite)
    payload = Payload(suite, "job")
    pid = payload.wait()
    suite.wait_state(payload.job, "Running")
    assert wms(suite, "down").stdout == "The suite has stopped.\n"
    assert alive(pid)
    assert not [command for command in belonging_to(suite.directory).values() if "wmsd" in command]
    up(suite)
    payload.end()
    suite.wait_state(payload.job, "Done")
    assert payload.starts == [pid]


def kill_suite(suite: Deployment) -> None:
    pid = pid_of(suite)
    os.kill(pid, signal.SIGKILL)
    until(lambda: not alive(pid), "its end")


def alive(pid: int) -> bool:
    """Zombies do not count: whoever inherits them may be in no hurry."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
