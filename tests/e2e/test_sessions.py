"""Interactive jobs and perusal through a running service, as a user has them: real processes, HTTPS, a real wrapper."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from deployment import Deployment, until

GREET = """Executable = "/bin/sh"; Arguments = "-c 'printf \\"Name? \\"; read n; echo \\"Hello $n\\"; read m; exit 5'";
JobType = "Interactive"; StdOutput = "said"; OutputSandbox = {"said"};"""
GROW = """Executable = "/bin/sh"; JobType = "Interactive"; PerusalFileEnable = true; PerusalTimeInterval = 1;
Arguments = "-c 'printf one >log; read go; printf two >>log; read go; printf three >>log'";"""


@pytest.fixture(scope="module")
def service(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with pattern.copy(tmp_path_factory.mktemp("terminal") / "wms") as made:
        made.configure(ns={"min_perusal_s": 1.0})
        made.start()
        yield made


def submitted(service: Deployment, jdl: str) -> str:
    path = service.directory / "job.jdl"
    path.write_text(f"[{jdl}]")
    return service.submit(str(path))


class Attached:
    """A `job-attach` with pipes: what it shows is read by a thread."""

    def __init__(self, service: Deployment, job: str, *words: str) -> None:
        self.process = subprocess.Popen(
            service.command("job-attach", job, *words), env=service.environment(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=service.directory)
        self.shown = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 4096):
            with self._news:
                self.shown += data
                self._news.notify_all()

    def wait_shown(self, text: bytes) -> None:
        with self._news:
            assert self._news.wait_for(lambda: text in self.shown, 60), self.shown

    def type(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def end(self, number: int | None = None) -> tuple[int, str]:
        """Wait for its end, or kill it; its status and words."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        words = self.process.stderr.read().decode()
        status = self.process.wait(60)
        self._reader.join()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()
        return status, words


def test_a_terminal_is_attached_lost_and_attached_again(service: Deployment) -> None:
    job = submitted(service, GREET)
    first = Attached(service, job)
    first.wait_shown(b"Name? ")
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    second = Attached(service, job)
    second.wait_shown(b"Name? ")
    second.type(b"World\n")
    second.wait_shown(b"Hello World\n")
    third = Attached(service, job, "--from-now")
    assert second.end() == (0, "[another terminal was attached to the job]\n")
    third.type(b"\n")
    status, words = third.end()
    assert (status, third.shown) == (5, b""), words
    assert words == "[the job is over, Done (Exit Code !=0)]\n"
    output = service.json("job-output", "--dir", str(service.directory / "fetched"), job)
    said = Path(output["jobs"][job]["location"], "said").read_bytes()
    assert said == second.shown == b"Name? Hello World\n"
    events = service.json("job-logging-info", job)
    assert re.search(r"\bListener\b", str(events))


def test_a_service_that_starts_again_is_found_again(workplace: Path, pattern: Deployment) -> None:
    with pattern.copy(workplace / "again") as deployment:
        wmsd = deployment.start()
        job = submitted(deployment, GREET)
        attached = Attached(deployment, job)
        attached.wait_shown(b"Name? ")
        wmsd.kill()
        deployment.start()
        attached.type(b"Phoenix\n")
        attached.wait_shown(b"Hello Phoenix\n")
        attached.type(b"\n")
        status, words = attached.end()
        assert (status, attached.shown) == (5, b"Name? Hello Phoenix\n")
        assert "connection is lost" in words


def test_input_of_a_script_ends_and_so_does_that_of_the_job(service: Deployment) -> None:
    job = submitted(service, 'Executable = "/bin/cat"; JobType = "Interactive";')
    done = subprocess.run(service.command("job-attach", "--json", job), env=service.environment(), input="one\ntwo\n",
                          text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert '"exit_code": 0' in done.stdout
    assert done.stderr.startswith("one\ntwo\n")


def test_a_submission_at_a_terminal_attaches_it_and_ctrl_c_asks(service: Deployment) -> None:
    path = service.directory / "sleeps.jdl"
    path.write_text('[Executable = "/bin/sh"; Arguments = "-c \'echo up; cat; sleep 1000\'"; JobType = "Interactive";]')
    with _terminal(service, "job-submit", str(path)) as terminal:
        seen = _until(terminal, b"up\r\n")
        os.write(terminal, b"\x03")
        _until(terminal, b"go on ?")
        os.write(terminal, b"\n")
        os.write(terminal, b"still here\n")
        _until(terminal, b"still here\r\nstill here\r\n")
        os.write(terminal, b"\x03")
        _until(terminal, b"go on ?")
        os.write(terminal, b"c\n")
        _until(terminal, b"being cancelled")
    (job,) = set(re.findall(rb"https://\S+:\d+/[\w-]{22}", seen))
    service.wait_state(job.decode(), "Cancelled")


@contextmanager
def _terminal(service: Deployment, program: str, *words: str) -> Iterator[int]:
    """A command at a terminal of its own; it must end well."""
    child, terminal = pty.fork()
    if child == 0:
        os.chdir(service.directory)
        os.execve(service.command(program)[0], service.command(program, *words), service.environment())
    try:
        yield terminal
    finally:
        _, status = os.waitpid(child, 0)
        os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0


def test_a_user_leaves_and_the_job_goes_on(service: Deployment) -> None:
    job = submitted(service, GREET)
    with _terminal(service, "job-attach", job) as terminal:
        _until(terminal, b"Name? ")
        os.write(terminal, b"~.\n")
        _until(terminal, b"detached; the job goes on")
    again = Attached(service, job)
    again.type(b"Me\n\n")
    assert again.end()[0] == 5
    assert again.shown == b"Name? Hello Me\n"


def _until(terminal: int, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        seen += os.read(terminal, 4096)
    return seen


def test_only_interactive_jobs_are_attached(service: Deployment) -> None:
    job = submitted(service, 'Executable = "/bin/true";')
    refused = service.run("job-attach", job)
    assert (refused.returncode, "This is not an interactive job." in refused.stderr) == (1, True)
    told = service.json("job-attach", "--nolisten", job)
    assert told["host"] == "localhost"


# -- perusal -----------------------------------------------------------------------------------------------


def test_files_are_looked_at_while_they_grow(service: Deployment) -> None:
    job = submitted(service, GROW)
    block = service.ok("job-perusal", "--set", "-f", "log", "-f", "none", job)
    assert "File(s) perusal has been successfully enabled for the job:\n" + job in block
    attached = Attached(service, job)
    parts: list[dict[str, Any]] = []

    def fetched(*words: str) -> list[dict[str, Any]]:
        place = str(service.directory / "peek")
        return list(service.json("job-perusal", "--get", "--dir", place, *words, job)["files"])

    def some() -> bool:
        found = fetched()
        parts.extend(found)
        return bool(found)

    until(some, "the first part of the file")
    assert fetched() == []
    attached.type(b"\n")
    until(some, "the second part")
    attached.type(b"\n")
    assert attached.end()[0] == 0
    parts.extend(fetched())
    assert [(one["name"], one["start"], one["end"]) for one in parts] == [("log", 0, 3), ("log", 3, 6), ("log", 6, 11)]
    assert b"".join(Path(one["path"]).read_bytes() for one in parts) == b"onetwothree"
    (whole,) = fetched("--all", "-f", "log")
    assert Path(whole["path"]).read_bytes() == b"onetwothree"
    assert Path(whole["path"]).name == "log-0-11"


def test_what_cannot_be_looked_at_is_said(service: Deployment) -> None:
    job = submitted(service, 'Executable = "/bin/true";')
    refused = service.run("job-perusal", "--set", "-f", "x", job)
    assert (refused.returncode, "Perusal not enabled for this job." in refused.stderr) == (1, True)
    assert service.run("job-perusal", "--set", job).returncode == 2
    assert service.run("job-perusal", job).returncode == 2
