"""From the Arguments of a description to the words a program gets, by whole wrappers in the shells of worker nodes."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from deployment import until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_wrapper_run import SHELLS, Node, Peer, dash, job, literal, node, peer, script, server
from worker_peer import TOKEN

from jobadapter.adapt import Surroundings, adapt
from jobadapter.wrapper import Retry, render
from wms.errors import JdlError
from wms.messages.attempts import Run
from wms.seqcode import START

__all__ = ["dash", "node", "peer", "server"]
SHOW = "printf '%s\\0' \"$@\""
MOST = 131_072
"""Bytes of one word that the system gives to a program, its last null among them."""


def adapted(peer: Peer, jdl: str) -> str:
    """The script that the job adapter makes of a description, for the server of the tests."""
    run = Run("https://wms.example.org:9000/abc", 1, jdl, "ce", "local", "q", "c", str(START))
    around = Surroundings(peer.base_url.partition("/ns/")[0], peer.ca_pem, Retry(0, 0), 1_000_000)
    return adapt(run, "t", TOKEN, b"", str(START), around).script


@pytest.mark.parametrize(("arguments", "words"), [
    (r"-a \"quoted string\" -bcd", ["-a", "quoted string", "-bcd"]),
    (r"-f file1\\\&file2", ["-f", "file1&file2"]),
    (r"a\\\|b \\\>c \\\<d \\\;e", ["a|b", ">c", "<d", ";e"]),
    (r"'$HOME' \"$HOME/x\" ${HOME}y$UNSET", ["$HOME", "/home/user/x", "/home/usery"]),
    (r"\"\" '' x", ["", "", "x"]), (r"* ? [a] ~ # %s", ["*", "?", "[a]", "~", "#", "%s"]),
    (r"\"$A\" é€ \"tab\there\"", ["two  words", "é€", "tab\there"]),
    ("-n -e -- =", ["-n", "-e", "--", "="])])
def test_the_words_of_a_description(arguments: str, words: list[str], node: Node, peer: Peer) -> None:
    jdl = f'Executable = "/usr/bin/printf"; Arguments = "%s@ {arguments}"; Environment = "A=two  words"; ' \
          'StdOutput = "out"; OutputSandbox = "out";'
    status, said = node.run(adapted(peer, jdl))
    assert (status, peer.outputs().get("out", b"").decode()) == (0, "".join(f"{word}@" for word in words)), said


@pytest.mark.parametrize("arguments", [
    "a;b", "a|b", "a&b", ">x", "$(id)", "`id`", r"\"$(id)\"", "$1", r"a\"", "\ud800", "a\\0b"])
def test_what_is_no_argument_is_refused(arguments: str, peer: Peer) -> None:
    with pytest.raises((JdlError, UnicodeEncodeError)):
        adapted(peer, f'Executable = "/bin/true"; Arguments = "{arguments}";')


def test_bytes_that_are_no_text_are_refused(peer: Peer) -> None:
    """A description is text: what was not UTF-8 comes as what Python makes of such bytes, if it comes at all."""
    with pytest.raises((JdlError, UnicodeEncodeError)):
        adapted(peer, 'Executable = "/bin/true"; Arguments = "' + b"\xff\xfe".decode(errors="surrogateescape") + '";')


hostile = st.text(st.one_of(
    st.sampled_from("'\"\\$`!*?[]{}()<>|&;#~=%^- \t\n\r\x01\x7f\x81\x88é€😀\u202e\ufeff"),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=30)


@given(st.lists(hostile, min_size=60, max_size=120), st.lists(hostile, max_size=10))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_hundred_hostile_words_at_once(node: Node, peer: Peer, words: list[str], values: list[str]) -> None:
    peer.forget()
    text = f"{SHOW}; env -0 | sort -z | grep -z ^SET_"
    names = [f"SET_{number}" for number in range(len(values))]
    run = script(peer, text, arguments=literal(*words), stdout="out", output_sandbox=["out"],
                 environment=[(name, value.replace("$", "")) for name, value in zip(names, values, strict=True)])
    status, said = node.run(render(run))
    pairs = sorted(f"{name}={value.replace('$', '')}" for name, value in zip(names, values, strict=True))
    assert (status, peer.outputs()["out"].decode().split("\0")[:-1]) == (0, [*words, *pairs]), said


@pytest.mark.parametrize("shell", SHELLS)
def test_one_word_as_long_as_the_system_takes(shell: str, peer: Peer, tmp_path: Path) -> None:
    run = script(peer, SHOW, arguments=literal("x" * (MOST - 1), "'" * 40_000), stdout="out", output_sandbox=["out"])
    assert Node(SHELLS[shell], tmp_path).run(render(run))[0] == 0
    assert peer.outputs()["out"] == b"x" * (MOST - 1) + b"\0" + b"'" * 40_000 + b"\0"


def test_a_word_that_is_too_long_is_the_programs_failure(node: Node, peer: Peer) -> None:
    status, _ = node.run(render(script(peer, SHOW, arguments=literal("x" * MOST))))
    assert status == 0
    assert peer.done()["exit_code"] in (2, 126, 127)


def test_more_words_than_the_system_takes(node: Node, peer: Peer) -> None:
    many = ["y" * 100_000] * (os.sysconf("SC_ARG_MAX") // 100_000 + 1)
    node.run(render(script(peer, SHOW, arguments=literal(*many))))
    assert peer.done()["exit_code"] in (2, 126, 127)


# -- defects of the wrapper before this one ----------------------------------------------------------------


def test_environment_is_set_not_evaluated(node: Node, peer: Peer, tmp_path: Path) -> None:
    value = f"$(touch {tmp_path}/ran) `touch {tmp_path}/ran`; touch {tmp_path}/ran"
    node.run(render(script(peer, 'printf %s "$E"', environment=[("E", value)], stdout="out", output_sandbox=["out"])))
    assert peer.outputs()["out"].decode() == value
    assert not (tmp_path / "ran").exists()


def test_nothing_of_ours_lies_in_the_directory_of_the_job(node: Node, peer: Peer) -> None:
    run = script(peer, "ls -A; set | grep -a '^wms_' || echo clean; env | grep -a '^wms_' || echo clean", stdout="out",
                 output_sandbox=["out"])
    node.run(render(run))
    assert peer.outputs()["out"].decode().split() == ["out", "run.sh", "clean", "clean"]


def test_each_input_file_has_its_own_name(node: Node, peer: Peer) -> None:
    names = ["one", "two", "three"]
    run = script(peer, "cat one two three", stdout="out", output_sandbox=["out"])
    for name in names:
        peer.inputs[name] = f"{name}\n".encode()
    files = [replace(run.input_sandbox[0], name=name, sha256="") for name in names]
    node.run(render(replace(run, input_sandbox=[*run.input_sandbox, *files])))
    assert peer.outputs()["out"].decode().split() == names


def test_a_signal_finds_the_payload_and_what_watches_it(node: Node, peer: Peer, tmp_path: Path) -> None:
    """What was started in a subshell is known to traps and to the end."""
    up = tmp_path / "up"
    os.mkfifo(up)
    run = job(peer, "/bin/sh", arguments=literal("-c", f"echo $PPID $$ >{up}; exec sleep 1000"), memory_period_s=1)
    with node.begin(render(run)) as process:
        pids = up.read_text().split()
        process.terminate()
        process.communicate()
    assert peer.done()["failure"] == "Job has been terminated (got SIGTERM)"
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    until(lambda: not [file for file in Path("/proc").glob("[0-9]*/cwd") if str(node.home) in link(file)],
          "the sleep of a second that a watcher may have begun to end")


def link(file: Path) -> str:
    try:
        return os.readlink(file)
    except OSError:
        return ""
