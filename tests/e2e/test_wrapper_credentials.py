"""The token of a payload as a worker node sees it: there before the payload, fresh while it runs, gone after it."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from test_wrapper_run import HERE, Node, Peer, dash, node, peer, script, server, without
from worker_peer import TOKEN

from jobadapter.wrapper import WrapperJob, render

__all__ = ["HERE", "dash", "node", "peer", "server"]
READ = """
show() { printf '%s\\n' "$(cat "$BEARER_TOKEN_FILE")"; }
await() { while [ "$(cat "$BEARER_TOKEN_FILE")" != "$1" ]; do sleep 0.05; done; show; }
"""


def offers(peer: Peer, marks: Path, life_s: float = 3.0) -> None:
    """The service gives token-N while there are N marks."""
    marks.mkdir(exist_ok=True)

    def answer() -> None:
        token = f"token-{len(os.listdir(marks))}"
        peer.inputs["/token"] = json.dumps({"access_token": token, "expires": time.time() + life_s},
                                           separators=(",", ":")).encode()

    peer.on_call = answer


def bearing(peer: Peer, text: str, **more: object) -> WrapperJob:
    return script(peer, READ + text, stdout="out", stderr="out", output_sandbox=["out"], bearer=True,
                  token_least_s=1, token_most_s=2, **more)


def asked(peer: Peer) -> int:
    return [path for _, path, _ in peer.calls].count("/token")


def printed(peer: Peer) -> list[str]:
    return peer.outputs()["out"].decode().splitlines()


@pytest.fixture
def marks(tmp_path: Path) -> Path:
    return tmp_path / "marks"


@pytest.fixture
def ces(tmp_path: Path) -> Path:
    """The file that the CE gave the job."""
    file = tmp_path / "ce" / "token"
    file.parent.mkdir()
    file.write_text("from-the-ce")
    file.chmod(0o600)
    return file


def test_the_payload_has_a_token_where_the_ce_brings_none(node: Node, peer: Peer) -> None:
    peer.inputs["/token"] = b'{"access_token":"one.a-b_c~d","expires":2000000000.5}'
    status, output = node.run(render(bearing(peer, """
        show; stat -c %a "$BEARER_TOKEN_FILE"; echo "${BEARER_TOKEN-unset}" """)), BEARER_TOKEN="a secret of the node")
    assert (status, printed(peer)) == (0, ["one.a-b_c~d", "600", "unset"]), output
    assert "Note" not in output


def test_a_running_payload_sees_the_new_token_in_the_file_of_the_ce(
        node: Node, peer: Peer, ces: Path, marks: Path) -> None:
    offers(peer, marks)
    text = f"await token-0; >{marks}/a; await token-1; >{marks}/b; await token-2"
    status, output = node.run(render(bearing(peer, text)), BEARER_TOKEN_FILE=str(ces))
    assert (status, printed(peer)) == (0, ["token-0", "token-1", "token-2"]), output
    assert ces.read_text() == "token-2"
    assert oct(ces.stat().st_mode & 0o777) == "0o600"
    assert os.listdir(ces.parent) == ["token"]


def test_what_the_ce_brings_meanwhile_is_as_good(dash: Node, peer: Peer, ces: Path) -> None:
    peer.inputs["/token"] = b'{"access_token":"first","expires":2000000000.5}'
    job = replace(bearing(peer, "await first; printf later >$BEARER_TOKEN_FILE.new; "
                        "mv $BEARER_TOKEN_FILE.new $BEARER_TOKEN_FILE; await later"), token_most_s=1000)
    assert dash.run(render(job), BEARER_TOKEN_FILE=str(ces))[0] == 0
    assert printed(peer) == ["first", "later"]


@pytest.mark.parametrize(("reply", "status"), [
    (b"", "200"), (b"{}", "200"), (b'{"access_token":"","expires":1}', "200"),
    (b'{"access_token":"a b","expires":1}', "200"), (b'{"access_token":"$(id)","expires":1}', "200"),
    (None, "404")])
def test_without_a_fresh_token_the_payload_keeps_what_it_has_and_that_is_noted(
        dash: Node, peer: Peer, ces: Path, reply: bytes | None, status: str) -> None:
    if reply is not None:
        peer.inputs["/token"] = reply
    done, _ = dash.run(render(bearing(peer, "show")), BEARER_TOKEN_FILE=str(ces))
    assert (done, printed(peer)) == (0, ["from-the-ce"])
    assert peer.done()["notes"] == [f"the last token for the payload did not come ({status})"]
    assert ces.read_text() == "from-the-ce"


def test_a_service_that_is_away_for_a_while_is_asked_again(node: Node, peer: Peer, ces: Path) -> None:
    peer.faults["GET", "/token"] = [503, 0]
    peer.inputs["/token"] = b'{"access_token":"at-last","expires":2000000000}'
    status, output = node.run(render(bearing(peer, "show; await at-last")), BEARER_TOKEN_FILE=str(ces))
    assert (status, printed(peer)) == (0, ["from-the-ce", "at-last"]), output
    assert peer.done()["notes"] == []


@pytest.mark.parametrize("elsewhere", ["token", "/nowhere/token", "/"])
def test_what_is_no_file_of_the_job_is_left_alone(dash: Node, peer: Peer, elsewhere: str) -> None:
    peer.inputs["/token"] = b'{"access_token":"own","expires":2000000000}'
    assert dash.run(render(bearing(peer, "show")), BEARER_TOKEN_FILE=elsewhere)[0] == 0
    assert printed(peer) == ["own"]


def test_it_is_asked_for_with_the_capability_and_no_secret_is_an_argument_or_a_variable(
        dash: Node, peer: Peer, tmp_path: Path) -> None:
    peer.inputs["/token"] = b'{"access_token":"aaa.bbb.ccc","expires":2000000000}'
    spy = tmp_path / "bin" / "curl"
    spy.parent.mkdir()
    spy.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/said; env >>{tmp_path}/said\nexec {shutil.which("curl")} "$@"\n')
    spy.chmod(0o755)
    dash.run(render(bearing(peer, "show; env")), PATH=f"{spy.parent}:{HERE}")
    said = (tmp_path / "said").read_text() + "\n".join(printed(peer)[1:])
    assert "-q -K ../ctl/token\n" in said
    assert [secret for secret in ("aaa.bbb", "of\\one") if secret in said] == []
    assert peer.tokens == {f"Bearer {TOKEN}"}


def test_it_is_fresh_until_the_epilogue_is_over_and_nobody_asks_afterwards(
        dash: Node, peer: Peer, marks: Path) -> None:
    offers(peer, marks)
    status, _ = dash.run(render(bearing(peer, f">{marks}/a; await token-1", perusal_period_s=1)))
    assert status == 0
    paths = [path for _, path, _ in peer.calls]
    assert paths[-1] == "/done"
    assert "/token" not in paths[paths.index("/output/out"):]


def test_a_wrapper_that_is_ended_leaves_no_loop_behind(dash: Node, peer: Peer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    peer.inputs["/token"] = b'{"access_token":"own","expires":2000000000}'
    with dash.begin(render(bearing(peer, f"echo >{tmp_path}/begun; sleep 1000"))) as process:
        (tmp_path / "begun").read_text()
        process.terminate()
        output, _ = process.communicate()
    assert "got SIGTERM" in output
    assert list(dash.home.iterdir()) == []


def test_a_loop_that_could_not_catch_the_signal_ends_all_the_same(node: Node, peer: Peer) -> None:
    """A shell that was forked a moment ago can lose a TERM."""
    peer.inputs["/token"] = b'{"access_token":"own","expires":2000000000}'
    text, begun = render(replace(bearing(peer, "show"), perusal_period_s=1, memory_period_s=1)), "    trap 'kill \"$!\""
    assert text.count(begun) == 1
    status, output = node.run(text.replace(begun, f"    trap '' TERM; sleep 1\n{begun}"))
    assert (status, printed(peer)) == (0, ["own"]), output
    assert list(node.home.iterdir()) == []


def test_a_node_without_curl_fetches_too(dash: Node, peer: Peer, tmp_path: Path) -> None:
    peer.inputs["/token"] = b'{"access_token":"own","expires":2000000000}'
    tools = without(tmp_path, "curl")
    for tool in ("cat", "mv", "date"):
        (Path(tools) / tool).symlink_to(os.path.realpath(str(shutil.which(tool))))
    status, output = dash.run(render(bearing(peer, "show")), PATH=tools)
    assert (status, printed(peer)) == (0, ["own"]), output


def test_other_jobs_ask_for_none(dash: Node, peer: Peer) -> None:
    assert dash.run(render(script(peer, "true")))[0] == 0
    assert asked(peer) == 0
