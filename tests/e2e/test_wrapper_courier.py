"""Wrappers that a courier calls for: the only curl in their PATH can do nothing, and the courier is killed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from worker_peer import TOKEN, Peer, Server, serve

from jobadapter.shell import curl_value
from jobadapter.wrapper import InputFile, Retry, WrapperJob, render
from wms.ce import CeJob
from wms.ce.local.courier import free, sections
from wms.ce.local.spool import Spool

TOOLS = ("mkdir", "rm", "chmod", "cat", "sha256sum", "stat", "sleep", "setsid", "env", "uname", "ln", "od", "tr")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Peer]]:
    peer = Peer()
    server = serve(tmp_path_factory.mktemp("server"), peer)
    yield server, peer
    server.shutdown()
    server.server_close()


@pytest.fixture
def peer(server: tuple[Server, Peer]) -> Peer:
    server[1].forget()
    return server[1]


class Place:
    """A spool with jobs in it, couriers, and a PATH with a curl that only notes it was called."""

    def __init__(self, directory: Path) -> None:
        self.spool = Spool(str(directory / "spool"))
        self.spool.prepare()
        self.spool.offer_courier()
        self.path = directory / "bin"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(Path("/usr/bin", tool).resolve())
        self.called = directory / "called"
        (self.path / "curl").write_text(f"#!/bin/sh\necho x >>{self.called}\nexit 7\n")
        (self.path / "curl").chmod(0o755)
        self.couriers: list[subprocess.Popen[bytes]] = []

    def courier(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "wms.ce.local.courier", self.spool.root]
        self.couriers.append(subprocess.Popen(command, stdin=subprocess.PIPE))
        return self.couriers[-1]

    def begin(self, token: str, script: str, shell: str = "dash") -> subprocess.Popen[str]:
        self.spool.add(CeJob(token, "j", script, "default"), token)
        command = ["/bin/busybox", "sh"] if shell == "busybox" else [f"/bin/{shell}"]
        place = Path(self.spool.jobs, token)
        return subprocess.Popen([*command, str(place / "script")], cwd=place, text=True, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, start_new_session=True,
                                env={"PATH": str(self.path), "WMS_COURIER": self.spool.root, "WMS_CALL": token})

    def becomes_empty(self) -> None:
        """A call is forgotten after its answer."""
        while os.listdir(self.spool.calls) or os.listdir(self.spool.carried):
            time.sleep(0.01)

    def close(self) -> None:
        for courier in self.couriers:
            assert courier.stdin is not None
            courier.stdin.close()
            courier.wait()
        assert not self.called.exists()
        assert free(self.spool.root)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.close()


def job(peer: Peer, **more: Any) -> str:
    text = b"#!/bin/sh\necho \"courier: ${WMS_COURIER-none}\"; exit 3\n"
    peer.inputs["run.sh"] = text
    values: dict[str, Any] = {
        "job": "https://wms.example.org:9000/abc", "attempt": 1, "base_url": peer.base_url, "token": TOKEN,
        "ca_pem": peer.ca_pem, "executable": "run.sh", "stdout": "out", "output_sandbox": ["out"],
        "input_sandbox": [InputFile("run.sh", sha256(text).hexdigest(), len(text))], "start_retry": Retry(2, 0),
        "input_retry": Retry(2, 0), "output_retry": Retry(2, 0), **more}
    return render(WrapperJob(**values))


def ended(wrapper: subprocess.Popen[str]) -> tuple[int, str]:
    output, _ = wrapper.communicate()
    return wrapper.returncode, output


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_jobs_share_connections_and_need_no_tool_for_them(place: Place, peer: Peer, shell: str) -> None:
    place.courier()
    for n in range(5):
        peer.nonce = ""
        status, output = ended(place.begin(f"job-{n}", job(peer), shell))
        assert (status, "job exit status = 3" in output) == (0, True), output
    assert peer.names() == ["GET /input/run.sh", "POST /start", "PUT /output/out", "POST /done"] * 5
    assert set(peer.outputs().values()) == {b"courier: none\n"}
    assert len(peer.connections) <= 8


def test_what_the_server_refuses_is_refused(place: Place, peer: Peer) -> None:
    place.courier()
    peer.faults["POST", "/start"] = [409]
    status, output = ended(place.begin("one", job(peer)))
    assert (status, peer.names()) == (1, ["GET /input/run.sh", "POST /start"])
    assert "Cannot take shallow resubmission token" in output
    assert "(409)" in output


def test_what_fails_for_a_while_is_tried_again(place: Place, peer: Peer) -> None:
    place.courier()
    peer.faults["POST", "/start"] = [503, 0]
    peer.faults["PUT", "/output/out"] = [500]
    assert ended(place.begin("one", job(peer)))[0] == 0
    assert peer.names().count("POST /done") == 1


def test_a_courier_that_is_killed_leaves_its_calls_to_the_next(place: Place, peer: Peer) -> None:
    first = place.courier()
    killed: list[int] = []

    def kill() -> None:
        if not killed:
            killed.append(first.pid)
            first.kill()
            first.wait()
            place.courier()

    peer.on_call = kill
    status, output = ended(place.begin("one", job(peer)))
    assert status == 0, output
    assert killed
    assert peer.done()["exit_code"] == 3
    place.becomes_empty()


def test_a_call_that_was_made_before_there_was_a_courier_is_carried(place: Place, peer: Peer) -> None:
    wrapper = place.begin("early", job(peer))
    while not os.listdir(place.spool.calls):
        assert wrapper.poll() is None
    place.courier()
    assert ended(wrapper)[0] == 0


def test_an_answer_that_a_dead_courier_gave_already_does_no_harm(place: Place, peer: Peer) -> None:
    """It died before it forgot the call; its wrapper has the answer, and has written the next call since."""
    wrapper = place.begin("early", job(peer))
    while not (waiting := os.listdir(place.spool.calls)):
        assert wrapper.poll() is None
    shutil.copy(f"{place.spool.calls}/{waiting[0]}", f"{place.spool.carried}/early.0")
    place.courier()
    assert ended(wrapper)[0] == 0
    place.becomes_empty()


def test_what_nobody_waits_for_is_forgotten(place: Place, peer: Peer) -> None:
    for name in ("gone.1", "one.7"):
        Path(place.spool.carried, name).write_text("/nowhere/ctl/start\n")
    place.courier()
    assert ended(place.begin("one", job(peer)))[0] == 0
    place.becomes_empty()


def test_there_is_one_courier_a_spool(place: Place, peer: Peer) -> None:
    place.courier()
    assert ended(place.begin("one", job(peer)))[0] == 0
    assert place.courier().wait() == 0
    assert not free(place.spool.root)


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r\v\f\x1c\x1d"
                                                                                               "\x1e\x85\u2028\u2029"),
                                  min_size=1), st.integers(1, 3600)), min_size=1))
def test_a_configuration_is_read_as_curl_reads_it(transfers: list[tuple[str, int]]) -> None:
    text = "next\n".join(f'url = {curl_value(url)}\nmax-time = "{seconds}"\nheader = "A: b"\n'
                         for url, seconds in transfers)
    assert [(s.url, s.max_s, s.headers) for s in sections(text)] == [(u, m, {"A": "b"}) for u, m in transfers]


def test_what_a_courier_does_not_know_it_leaves_to_curl() -> None:
    with pytest.raises(ValueError, match="cert"):
        list(sections('url = "https://h/"\ncert = "../proxy"\n'))
