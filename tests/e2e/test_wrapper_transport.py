"""Worker nodes with one way to transfer: curl alone, python3 alone, GNU wget alone, or none. The same in each shell."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_wrapper_run import SHELLS, Node, dash, failure, job, literal, node, peer, script, sent, server
from worker_peer import TOKEN, Peer, serve

from jobadapter.wrapper import InputFile, render
from jobadapter.wrapper_transport import TRANSPORT
from wms.outcome import classify

__all__ = ["dash", "node", "peer", "server"]
TOOLS = ("curl", "python3", "wget")
PAIRS = [*(("dash", tool) for tool in TOOLS), ("bash", "wget"), ("busybox", "curl")]
of_each_kind = pytest.mark.parametrize(("node", "path"), PAIRS, indirect=True, ids="-".join)
"""Each tool under dash, and each other shell once: what runs a tool is the same text for all tools."""
PLAIN = {"mkdir", "rm", "chmod", "setsid", "sha256sum", "stat", "tail", "sleep", "od", "tr", "sh", "env", "wc", "ln",
         "mv", "cat", "base64", "timeout", "cp"}


def path_with(place: Path, *wanted: str) -> str:
    """A PATH with what every node has, and these."""
    tools = place / "-".join(("tools", *wanted))
    tools.mkdir(exist_ok=True)
    for tool in (PLAIN | {*wanted}) - set(os.listdir(tools)):
        real = sys.executable if tool == "python3" else str(shutil.which(tool))
        (tools / tool).symlink_to(os.path.realpath(real))
    return str(tools)


@pytest.fixture(params=TOOLS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return path_with(tmp_path, request.param)


@of_each_kind
def test_all_that_a_job_may_need(node: Node, peer: Peer, path: str) -> None:
    run = script(peer, "lb-logevent --name a --value b; cat 'in put'; exit 3", stdout="o 1",
                 output_sandbox=["o 1", "no"])
    run = replace(run, input_sandbox=[*run.input_sandbox, sent(peer, "in put", "x\n" * 5)])
    peer.granted = b'{"sequence_code":"UI=7"}'
    status, output = node.run(render(run), PATH=path)
    assert (status, classify(output).exit_code) == (0, 3), output
    assert peer.outputs_by_name() == {"o 1": b"UI=7\n" + b"x\n" * 5}
    assert (peer.done()["exit_code"], peer.done()["missing"], peer.done()["sequence_code"]) == (3, ["no"], "UI=7")
    assert "POST /events" in peer.names()
    assert peer.tokens == {f"Bearer {TOKEN}"}


@of_each_kind
def test_what_fails_is_tried_again_and_what_is_refused_is_not(node: Node, peer: Peer, path: str) -> None:
    peer.faults["GET", "/input/run.sh"] = [500, 0]
    peer.faults["POST", "/start"] = [503]
    peer.faults["PUT", "/output/b"] = [0, 413]
    said = node.run(render(script(peer, "echo a >a; echo b >b", output_sandbox=["a", "b", "c"])), PATH=path)
    assert failure(peer, said) == f"Cannot upload file://b into {peer.base_url}/output/b (413)"
    assert peer.names().count("PUT /output/b") == 2


@of_each_kind
def test_a_start_that_was_taken(node: Node, peer: Peer, path: str) -> None:
    peer.nonce = "somebody else's"
    status, output = node.run(render(job(peer)), PATH=path)
    assert (status, peer.names()) == (1, ["POST /start"])
    assert classify(output).reason == f"Cannot take shallow resubmission token {peer.base_url}/start (409)"


@of_each_kind
def test_input_that_is_not_there_or_wrong(node: Node, peer: Peer, path: str) -> None:
    run = job(peer, "/bin/true", input_sandbox=[sent(peer, "a", "x"), InputFile("b c")])
    assert failure(peer, node.run(render(run), PATH=path)) == \
        f"Cannot download b%20c from {peer.base_url}/input/b%20c (404)"


def test_a_server_with_another_certificate_gets_nothing(dash: Node, peer: Peer, path: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stranger = Peer()
    impostor = serve(other, stranger)
    status, output = dash.run(render(job(peer, ca_pem=stranger.ca_pem)), PATH=path)
    impostor.shutdown()
    impostor.server_close()
    assert (status, peer.calls) == (1, [])
    assert classify(output).reason.startswith("Cannot take shallow resubmission token")


def test_the_capability_is_in_no_list_of_processes(dash: Node, peer: Peer, path: str) -> None:
    seen: list[str] = []

    def look() -> None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(file.read_text(errors="replace"))
                seen.append((file.parent / "environ").read_text(errors="replace"))
            except (FileNotFoundError, ProcessLookupError, PermissionError):
                continue

    peer.on_call = look
    dash.run(render(job(peer)), PATH=path)
    assert any(Path(path).name.rpartition("-")[2] in line for line in seen)
    assert not any("token-" in line for line in seen)


name = st.text(st.one_of(st.sampled_from("'\"\\$`;&|()<>*?[]#%= \t\n\r\x0bé€😀"), st.characters(
    exclude_characters="\0/", exclude_categories=["Cs"])), min_size=1, max_size=12)


@pytest.mark.parametrize("tool", TOOLS)
@given(name, name)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_names_of_files(dash: Node, peer: Peer, tmp_path: Path, tool: str, first: str, second: str) -> None:
    peer.forget()
    peer.any_input = b"#!/bin/sh\necho yes\n"
    run = job(peer, f"e{first}", input_sandbox=[InputFile(f"e{first}"), InputFile(f"i{second}")], stdout=f"o{second}",
              output_sandbox=[f"o{second}".replace("[", "?"), f"i{second}".replace("[", "?")])
    status, said = dash.run(render(run), PATH=path_with(tmp_path, tool))
    assert status == 0, said
    assert peer.outputs_by_name() == {f"o{second}": b"yes\n", f"i{second}": peer.any_input}


@pytest.mark.parametrize("tools", [(), ("busybox",)])
def test_a_node_that_cannot_transfer_says_so(node: Node, peer: Peer, tmp_path: Path, tools: tuple[str, ...]) -> None:
    """The wget of busybox cannot PUT."""
    path = path_with(tmp_path, *tools)
    if tools:
        (Path(path) / "wget").symlink_to("busybox")
    status, output = node.run(render(job(peer, arguments=literal("x"))), PATH=path)
    assert (status, peer.calls) == (1, [])
    assert classify(output).reason == "No *ftp or http command found: it takes curl, python3 or GNU wget"
    assert classify(output).kind == "resubmit"


@pytest.mark.parametrize("shell", SHELLS)
def test_the_way_to_transfer_is_sound(shell: str) -> None:
    assert subprocess.run([*SHELLS[shell], "-n"], input=TRANSPORT, text=True, check=True)


def test_shellcheck_has_nothing_to_say_of_it() -> None:
    """SC2094 apart: what is called in a loop over a file writes beside it, not into it."""
    answer = subprocess.run(["shellcheck", "-s", "sh", "-e", "SC2094", "-"], input=TRANSPORT, text=True,
                            capture_output=True)
    assert answer.stdout == ""
