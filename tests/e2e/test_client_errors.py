"""What a user sees when something is wrong: one clear error, a status that is not 0, and valid JSON if asked.

The commands run as processes, as a user starts them; the only server here is a port nobody listens on.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from wms.x509 import authority, proxy

JOB = "https://localhost:{port}/AAAAAAAAAAAAAAAAAAAAAA"
GOOD = 'Executable = "/bin/date"; StdOutput = "o"; OutputSandbox = {"o"};'


class World(NamedTuple):
    """A directory with a good proxy and CA, and the port of a server that is down."""

    home: Path
    environment: dict[str, str]
    port: int


class Ran(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`good.pem`, `expired.pem`, `short.pem` and the directory `certificates`."""
    home, now = tmp_path_factory.mktemp("credentials"), time.time()
    ca = authority.make_authority(now - 86400, serial=1, kind="ec")
    user = authority.user_certificate(ca, "alice", now - 86400, serial=2, kind="ec")
    chain, key = proxy.certificates(user.certificate), proxy.load_key(user.key)
    for name, made, lifetime_s in (("good", now, 86400), ("expired", now - 7200, 3600), ("short", now, 300)):
        fresh = proxy.new_key("ec")
        cert = proxy.new_proxy(chain, key, fresh.public_key(), made, lifetime_s, serial=3)
        path = home / f"{name}.pem"
        path.write_bytes(proxy.dump(cert, fresh, chain))
        path.chmod(0o600)
    (home / "certificates").mkdir()
    for file, content in authority.trust_files(ca.certificate).items():
        (home / "certificates" / file).write_bytes(content)
    return home


@pytest.fixture
def world(credentials: Path, tmp_path: Path) -> Iterator[World]:
    with socket.socket() as closed:  # bound but not listening: connections are refused
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        (tmp_path / "good.jdl").write_text(GOOD)
        yield World(tmp_path, {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "X509_USER_PROXY": str(credentials / "good.pem"),
            "X509_CERT_DIR": str(credentials / "certificates"), "WMS_ENDPOINT": f"https://localhost:{port}"}, port)


def run(world: World, command: str, *arguments: str, stdin: str = "", **environment: str) -> Ran:
    done = subprocess.run([sys.executable, "-m", f"clients.commands.{command}", *arguments], input=stdin, text=True,
                          cwd=world.home, env={**world.environment, **environment}, capture_output=True, timeout=60,
                          check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


def fails(world: World, code: str, command: str, *arguments: str, status: int = 1, stdin: str = "",
          **environment: str) -> str:
    """The command fails once with this code, in words and as JSON; the message."""
    ran = run(world, command, *arguments, stdin=stdin, **environment)
    assert (ran.status, "Traceback" in ran.err) == (status, False), ran
    assert ran.err.count("**** Error: ") == 1
    assert f"**** Error: {code} ****\n" in ran.err
    assert "https://" not in ran.out or command != "submit"
    as_json = run(world, command, *arguments, "--json", stdin=stdin, **environment)
    document = json.loads(as_json.out)
    assert (as_json.status, as_json.err) == (status, "")
    assert document["result"] == "failure"
    assert document["error"]["code"] == code
    assert set(document["error"]) == {"code", "message", "hint", "details"}
    return ran.err


def test_a_jdl_file_that_is_not_there(world: World):
    assert "none.jdl" in fails(world, "UI_JDL_FILE_MISSING", "submit", "none.jdl")


def test_no_jdl_file_at_all(world: World):
    fails(world, "UI_ARG_MISS", "submit", status=2)


def test_a_syntax_error_is_named_with_file_row_and_column(world: World):
    (world.home / "bad.jdl").write_text('Executable = "a";\nArguments = ;\n')
    message = fails(world, "UI_JDL_WRONG_SYNTAX", "submit", "bad.jdl")
    assert "bad.jdl" in message
    assert "row 2, column 13" in message


def test_a_description_from_standard_input_has_its_errors_told_too(world: World):
    fails(world, "UI_JDL_WRONG_SYNTAX", "submit", "-", stdin="Executable = ")


def test_a_description_without_its_executable(world: World):
    (world.home / "j.jdl").write_text('StdOutput = "o";')
    assert "Executable" in fails(world, "UI_JDL_BAD_RELATION", "submit", "j.jdl")


def test_a_sandbox_file_that_is_not_there(world: World):
    (world.home / "j.jdl").write_text('Executable = "/bin/cat"; InputSandbox = {"data/one.dat"};')
    message = fails(world, "UI_JDL_NO_AVAIL_FILE", "submit", "j.jdl")
    assert str(world.home / "data/one.dat") in message


def test_two_sandbox_files_of_one_name(world: World):
    for name in ("a", "b"):
        (world.home / name).mkdir()
        (world.home / name / "x.dat").write_text("x")
    (world.home / "j.jdl").write_text('Executable = "/bin/cat"; InputSandbox = {"a/x.dat", "b/x.dat"};')
    assert "x.dat" in fails(world, "UI_JDL_BAD_RELATION", "submit", "j.jdl")


def test_a_sandbox_file_that_is_too_large_names_the_limit(world: World):
    with open(world.home / "big", "wb") as file:
        file.truncate(10_000_001)
    (world.home / "j.jdl").write_text('Executable = "/bin/cat"; InputSandbox = {"big"};')
    message = fails(world, "NS_SANDBOX_TOO_LARGE", "submit", "j.jdl")
    assert "10000001" in message
    assert "10000000" in message


@pytest.mark.parametrize("command", ["submit", "list_match"])
def test_a_network_server_that_is_down(world: World, command: str):
    message = fails(world, "UI_NO_NS_CONTACT", command, "good.jdl")
    assert "Unable to contact any Network Server\n" in message
    assert f"localhost:{world.port}: connection refused" in message


@pytest.mark.parametrize("command", ["status", "logging_info"])
def test_a_bookkeeping_server_that_is_down(world: World, command: str):
    assert f"localhost:{world.port}" in fails(world, "LB_API_OPEN", command, JOB.format(port=world.port))


@pytest.mark.parametrize("command", ["cancel", "output"])
def test_a_job_whose_server_is_down(world: World, command: str):
    fails(world, "UI_NO_NS_CONTACT", command, "--noint", JOB.format(port=world.port))


def test_no_server_configured(world: World):
    assert "WMS_ENDPOINT" in fails(world, "UI_CONFIG_ATTRIBUTE", "submit", "good.jdl", status=2, WMS_ENDPOINT="")


@pytest.mark.parametrize("command", ["submit", "list_match"])
def test_an_absent_proxy(world: World, command: str):
    message = fails(world, "UI_PROXY_NOT_FOUND", command, "good.jdl", X509_USER_PROXY="/nowhere/x509")
    assert "No path to valid proxy file has been found" in message


@pytest.mark.parametrize(("command", "argument"), [("submit", "good.jdl"), ("status", JOB.format(port=1))])
def test_an_expired_proxy(world: World, credentials: Path, command: str, argument: str):
    path = str(credentials / "expired.pem")
    assert "has expired" in fails(world, "UI_PROXY_EXPIRED", command, argument, X509_USER_PROXY=path)


def test_a_proxy_that_ends_too_soon_is_refused_for_submission_only(world: World, credentials: Path):
    path = str(credentials / "short.pem")
    fails(world, "UI_PROXY_DURATION", "submit", "good.jdl", X509_USER_PROXY=path)
    fails(world, "UI_NO_NS_CONTACT", "list_match", "good.jdl", X509_USER_PROXY=path)


def test_a_file_that_is_no_proxy(world: World):
    fails(world, "UI_PROXY_INVALID", "status", JOB.format(port=1), X509_USER_PROXY=str(world.home / "good.jdl"))


def test_a_ca_directory_that_is_not_there(world: World):
    assert "X509_CERT_DIR" in fails(world, "UI_PROXY_NOT_FOUND", "submit", "good.jdl", X509_CERT_DIR="/nowhere")


@pytest.mark.parametrize("command", ["status", "cancel", "output", "logging_info"])
def test_a_word_that_is_no_job_id(world: World, command: str):
    assert "https://HOST" in fails(world, "UI_WRONG_JOBID_FORMAT", command, "--noint", "job-17")


@pytest.mark.parametrize("command", ["status", "cancel", "output", "logging_info"])
def test_no_job_id(world: World, command: str):
    fails(world, "UI_ARG_MISS", command, status=2)


def test_a_file_of_identifiers_that_is_not_there(world: World):
    assert "invalid input file : none" in fails(world, "UI_BAD_INPUT_FILE", "status", "-i", "none")


@pytest.mark.parametrize(
    "command", ["submit", "status", "cancel", "output", "list_match", "logging_info"])
def test_an_unknown_option(world: World, command: str):
    assert "--frobnicate" in fails(world, "UI_WRONG_OPT", command, "--frobnicate", status=2)


@pytest.mark.parametrize(("command", "arguments", "code"), [
    ("submit", ("good.jdl", "--valid", "00:00"), "UI_ARG_OUT_OF_LIMIT"),
    ("submit", ("good.jdl", "--to", "01:01:00:00:2001"), "UI_ARG_OUT_OF_LIMIT"),
    ("submit", ("good.jdl", "--valid", "soon"), "UI_ARG_MISMATCH"),
    ("submit", ("good.jdl", "--valid", "00:10", "--to", "23:59"), "UI_ARG_EXCLUSIVE"),
    ("submit", ("good.jdl", "--vo", "a", "--config-vo", "b"), "UI_ARG_EXCLUSIVE"),
    ("status", ("--all", "-s", "Sleeping"), "UI_ARG_MISMATCH"),
    ("status", ("-v", "7", "https://h/x"), "UI_ARG_MISMATCH"),
    ("status", ("--all", "https://h/x"), "UI_ARG_EXCLUSIVE"),
    ("logging_info", ("--event", "Sneeze", "https://h/x"), "UI_ARG_MISMATCH"),
    ("submit", ("good.jdl", "--output"), "UI_ARG_MISS"),
])
def test_options_that_make_no_sense(world: World, command: str, arguments: tuple[str, ...], code: str):
    fails(world, code, command, *arguments, status=2)


def test_a_resource_that_is_no_ce(world: World):
    fails(world, "UI_WRONG_RESOURCE_ID", "submit", "good.jdl", "-r", "ce.example.org")


def test_a_configuration_file_that_cannot_be_used(world: World):
    (world.home / "conf").write_text("[ NSAddresses = ; ]")
    assert "conf" in fails(world, "UI_CONFIG_ATTRIBUTE", "submit", "good.jdl", "--config", "conf", status=2)
    fails(world, "UI_READ_FILE", "submit", "good.jdl", "--config", "none")


def test_a_cancellation_that_is_not_confirmed_does_nothing(world: World):
    job = JOB.format(port=world.port)
    for answer in ("", "\n", "n\n", "maybe\n"):
        ran = run(world, "cancel", job, stdin=answer)
        assert ran.status == 1
        assert "Are you sure you want to remove specified job(s)? [y/n]n :" in ran.out
        assert "UI_SKIP_QUESTION" in ran.err


def test_the_log_file_exists_whatever_happens_and_is_named(world: World):
    ran = run(world, "submit", "good.jdl", "--logfile", "log")
    assert ran.status == 1
    assert "UI_NO_NS_CONTACT" in (world.home / "log").read_text()
    assert ran.out.endswith(f"{world.home / 'log'}\n")


def test_debug_tells_on_stderr(world: World):
    ran = run(world, "submit", "good.jdl", "--debug", "--logfile", "log")
    assert "(Debug) job-submit" in ran.err


@pytest.mark.parametrize("arguments", [
    ("good.jdl", "--config", "none"), ("-config", "none", "good.jdl"), ("-noint", "good.jdl", "-config=none"),
    ("--config=none", "good.jdl", "--noint"), ("-c", "none", "good.jdl")])
def test_one_dash_is_as_good_as_two_and_order_does_not_matter(world: World, arguments: tuple[str, ...]):
    fails(world, "UI_READ_FILE", "submit", *arguments)


@pytest.mark.parametrize(
    "command", ["submit", "status", "cancel", "output", "list_match", "logging_info"])
def test_help_and_version_need_nothing(world: World, command: str):
    for option, words in (("--help", "Usage: job-"), ("--version", "WMS User Interface version  ")):
        ran = run(world, command, option, X509_USER_PROXY="/nowhere", WMS_ENDPOINT="")
        assert (ran.status, ran.err) == (0, "")
        assert words in ran.out
