"""`wmsd` as processes: one daemon alone, six together, what it says when it cannot start, and how it ends."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from deployment import NAMES, PATIENCE_S, Deployment, until

from clients.api import Client
from wms.errors import WmsError


def refusal(deployment: Deployment, *words: str, status: int, **environment: str) -> list[str]:
    """What a `wmsd` that must not start says on standard error, beside its log lines."""
    done = deployment.run("wmsd", *words, **environment)
    assert (done.returncode, done.stdout) == (status, ""), done.stderr
    logged = [line for line in done.stderr.splitlines() if line.startswith("{")]
    assert "Traceback" not in done.stderr.replace("\n".join(logged), "")
    assert not [line for line in logged if '"traceback"' in line]
    return [line for line in done.stderr.splitlines() if not line.startswith("{")]


# -- one daemon ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_each_daemon_runs_alone_logs_json_lines_and_ends_well(deployment: Deployment, name: str) -> None:
    wmsd = deployment.start(name)
    assert wmsd.terminate() == 0
    lines = wmsd.lines()
    assert all({"time", "level", "daemon", "message"} <= set(line) for line in lines)
    assert {(line["daemon"], line["level"]) for line in lines} == {(name, "info")}
    messages = [line["message"] for line in lines]
    assert messages.index(f"{name} is ready") < messages.index(f"{name} has stopped")
    assert not (deployment.site.state / "run" / f"{name}.json").exists()


def test_a_daemon_that_breaks_below_python_says_where(deployment: Deployment) -> None:
    wmsd = deployment.start("interlogger")
    wmsd.process.send_signal(signal.SIGSEGV)
    assert wmsd.process.wait(PATIENCE_S) == -signal.SIGSEGV
    assert re.search("^Fatal Python error: Segmentation fault$.*^Current thread .*daemon.py", wmsd.log.read_text(),
                     re.DOTALL | re.MULTILINE)


def test_a_signal_while_it_starts_ends_it_well(deployment: Deployment) -> None:
    (deployment.site.state / "capability.key").unlink(missing_ok=True)
    wmsd = deployment.spawn()
    until((deployment.site.state / "capability.key").exists, "the daemon to begin")
    assert wmsd.terminate() == 0
    assert {line["level"] for line in wmsd.lines()} == {"info"}


def submit_until_refused(client: Client, jdl: str) -> set[str]:
    """Submit one job after the other; the identifiers that were answered."""
    jobs: set[str] = set()
    with client:
        try:
            while True:
                jobs.add(client.submit(jdl).job)
        except WmsError:
            return jobs


def test_a_network_server_that_ends_answers_the_calls_it_holds(deployment: Deployment) -> None:
    """Nothing is answered that is not on record, nothing is on record that was not answered."""
    deployment.two_ports()
    deployment.start("lb")
    ns = deployment.start("ns")
    jdl = Path(deployment.jdl("true")).read_text()
    with deployment.client() as client:
        first = client.submit(jdl).job
        with ThreadPoolExecutor(6) as threads:
            answers = [threads.submit(submit_until_refused, deployment.client(), jdl) for _ in range(6)]
            until(lambda: len(list(client.jobs())) > 20, "many submissions")
            assert ns.terminate() == 0
        answered = {first}.union(*(answer.result() for answer in answers))
        until(lambda: not [topic for topic, *_ in deployment.queue() if topic == "lb"], "LB to read its events")
        assert {status["jobId"] for status in client.jobs()} == answered


def test_a_bookkeeping_that_ends_answers_those_who_wait_for_news(deployment: Deployment) -> None:
    deployment.start("lb", "ns")
    lb = deployment.running[-1]
    with deployment.client() as client, ThreadPoolExecutor(1) as thread:
        job = client.submit(Path(deployment.jdl("true")).read_text()).job
        until(lambda: isinstance(client.status([job])[job], dict), "the job to be known")
        waiting: Future[dict[str, object]] = thread.submit(client.one_status, job, wait_s=50.0, newer_than=1000)
        until(lambda: lb.established() >= 1, "a connection")
        assert lb.terminate() == 0
        assert waiting.result()["jobId"] == job


# -- what prevents a start -------------------------------------------------------------------------------


def test_every_problem_of_the_configuration_is_named(deployment: Deployment) -> None:
    deployment.configure(ns={"listne": "x", "max_file_bytes": -1}, colour="red", logmonitor={"poll_s": "often"})
    said = refusal(deployment, "run", status=2)
    for words in ("ns.listne: unknown setting; did you mean listen?", "ns.max_file_bytes", "colour: unknown setting",
                  "logmonitor.poll_s"):
        assert [line for line in said if words in line], words
    assert len(said) == 4
    assert refusal(deployment, "config", "check", status=2) == said


@pytest.mark.parametrize(("changes", "status", "sentence"), [
    ({"ce": {"big": {"backend": "nosuch"}}}, 2, r"ce\.big: no CE backend is called 'nosuch' known: .*local"),
    ({"ce": {"big": {"backend": "local", "slots": "many"}}}, 2, r"ce\.big: local CE: .*slots"),
    ({"ns": {"listen": "nowhere"}}, 2, r"'nowhere' is not host:port\."),
    ({"database": "no url"}, 2, r"database"),
    ({"database": "mysql://127.0.0.1/none"}, 2, r"database.*mysql"),
    ({"database": "postgresql://nobody@127.0.0.1:1/none"}, 1, r"database.*127\.0\.0\.1.*refused"),
    ({"tls": {"key": "/nonexistent/key.pem"}}, 2, r"TLS: .*/nonexistent/key\.pem"),
    ({"tls": {"certificate": "/dev/null"}}, 2, r"TLS: .*/dev/null"),
    ({"tls": {"ca_dir": "/dev/shm"}}, 2, r"The CA of .*/host/cert\.pem, .*, is not in /dev/shm\."),
    ({"tls": {"ca_dir": "/nonexistent/certificates"}}, 2, r"TLS: .*/nonexistent/certificates"),
    ({"state_dir": "/proc/wms"}, 1, r"/proc/wms"),
])  # fmt: skip
def test_one_sentence_says_what_cannot_be_used(deployment: Deployment, changes: dict[str, object],
                                               status: int, sentence: str) -> None:
    deployment.configure(**changes)
    (line,) = refusal(deployment, "run", status=status)
    assert line.startswith("wmsd: ")
    assert re.search(sentence, line)


def test_a_schema_that_is_not_there_is_refused_with_the_remedy(deployment: Deployment) -> None:
    (deployment.site.state / "wms.sqlite").unlink()
    (line,) = refusal(deployment, "run", status=2)
    assert re.fullmatch(r"wmsd: The database has schema none, this version needs \w+\. Run: wmsd migrate", line)
    assert deployment.ok("wmsd", "migrate").endswith("(was none)\n")
    assert deployment.ok("wmsd", "migrate").endswith("(unchanged)\n")
    deployment.start("wm")


def test_a_port_in_use_is_named(deployment: Deployment) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        deployment.configure(lb={"listen": f"127.0.0.1:{port}"})
        assert refusal(deployment, "run", "lb", status=1) == [
            f"wmsd: Cannot listen on 127.0.0.1:{port}: Address already in use."]


def test_a_second_process_of_a_daemon_leaves_the_first_alone(deployment: Deployment) -> None:
    first = deployment.start("ns")
    refusal(deployment, "run", "ns", status=1)
    until(lambda: first.is_ready, "the heartbeat of the first")


def test_an_unknown_daemon_and_a_missing_file_are_named(deployment: Deployment) -> None:
    (line,) = refusal(deployment, "run", "ns", "sn", status=2)
    assert line == "wmsd: There is no daemon sn. Known: lb, proxyrenewal, logmonitor, jobadapter, wm, ns, interlogger."
    deployment.site.config.rename(deployment.site.config.with_suffix(".old"))
    done = subprocess.run(deployment.command("wmsd", "run"), capture_output=True, text=True, check=False)
    deployment.site.config.with_suffix(".old").rename(deployment.site.config)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"wmsd: Cannot read the configuration {deployment.site.config}: No such file or directory.\n"


def test_the_template_is_a_configuration(deployment: Deployment) -> None:
    template = deployment.directory / "template.yaml"
    template.write_text(deployment.ok("wmsd", "config", "template"))
    deployment.site.config.write_bytes(template.read_bytes())
    assert deployment.ok("wmsd", "config", "check") == "The configuration is sound.\n"


# -- six processes ---------------------------------------------------------------------------------------


def run_a_job(deployment: Deployment) -> None:
    """Submission, status, output and events of one job by the commands that users type."""
    (deployment.directory / "hello").write_text("#!/bin/sh\necho Hello $1\n")
    jdl = deployment.directory / "hello.jdl"
    jdl.write_text('Executable = "hello"; Arguments = "world"; StdOutput = "out"; '
                   'InputSandbox = {"hello"}; OutputSandbox = {"out"};')
    job = deployment.submit(str(jdl))
    deployment.wait_state(job, "Done")
    assert "Done" in deployment.ok("job-status", job)
    deployment.ok("job-output", "--noint", "--dir", str(deployment.directory / "got"), job)
    assert [path.read_text() for path in (deployment.directory / "got").rglob("out")] == ["Hello world\n"]
    events = deployment.ok("job-logging-info", job)
    for word in ("RegJob", "Match", "Transfer", "ReallyRunning", "Done", "Clear"):
        assert word in events
    until(lambda: deployment.run("job-status", job).stdout.count("Cleared"), "the job to be Cleared")


def end_all(deployment: Deployment) -> None:
    """Every daemon ends well, last started first, and complains of nothing before that."""
    for wmsd in reversed(deployment.running):
        assert wmsd.terminate() == 0
        assert {line["level"] for line in wmsd.lines()} == {"info"}, wmsd.name


def test_six_processes_on_one_sqlite_file_run_a_job(deployment: Deployment) -> None:
    deployment.two_ports()
    deployment.start_apart()
    run_a_job(deployment)
    end_all(deployment)


def test_six_processes_on_postgresql_run_a_job(postgresql: str, deployment: Deployment) -> None:
    deployment.two_ports()
    deployment.configure(database=postgresql)
    assert deployment.ok("wmsd", "migrate").endswith("(was none)\n")
    deployment.start_apart()
    run_a_job(deployment)
    end_all(deployment)
