"""Interactive jobs and perusal as a worker node sees them: streams that wait, break and are taken up again."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from test_wrapper_run import NEVER, SHELLS, Node, literal, without
from worker_peer import TOKEN, Peer, serve

from jobadapter.wrapper import Retry, WrapperJob, render

PATIENCE_S = 0.3
"""How long this server lets a wrapper wait for input."""


@dataclass
class Service(Peer):
    """Also the two streams, and the list of files to look at. A wrapper that reads is `reading`."""

    typed: bytes = b""
    ended: bool = False
    printed: bytes = b""
    looked: dict[str, bytes] = field(default_factory=dict)
    news: threading.Condition = field(default_factory=threading.Condition)

    def type(self, content: bytes, *, end: bool = False) -> None:
        with self.news:
            self.typed += content
            self.ended = end
            self.news.notify_all()

    def wait_printed(self, content: bytes) -> None:
        with self.news:
            assert self.news.wait_for(lambda: content in self.printed, 20), self.printed

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        _, kind, *rest = path.split("/")
        if kind not in ("session", "perusal"):
            return super().answer(method, path, body)
        faults = self.faults[method, f"/{kind}"]
        if faults and (status := faults.pop(0)) != 1:
            return status, b"no"
        with self.news:
            if kind == "perusal":
                return self._look(rest, body)
            if method == "GET":
                return self._input(int(rest[0]))
            at = int(rest[0])
            self.printed = self.printed[:at] + body if at <= len(self.printed) else self.printed
            self.news.notify_all()
            return 200, b'{"have":%d}' % len(self.printed)

    def _input(self, at: int) -> tuple[int, bytes]:
        if at == len(self.typed) and not self.ended:
            self.news.wait(PATIENCE_S)
        left = self.typed[at:]
        return (200, left) if left or not self.ended else (204, b"")

    def _look(self, rest: list[str], body: bytes) -> tuple[int, bytes]:
        if not rest:
            return 200, b"".join(b"%d %b %b\n" % (len(kept), name.replace(" ", "%20").encode(), name.encode())
                                 for name, kept in self.looked.items())
        name, at = unquote(rest[0]), int(rest[1])
        self.looked[name] = self.looked[name][:at].ljust(at, b"?") + body
        self.news.notify_all()
        return 200, b'{"have":%d}' % len(self.looked[name])


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    place = tmp_path / "server"
    place.mkdir()
    peer = Service()
    server = serve(place, peer)
    yield peer
    server.shutdown()
    server.server_close()


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    return Node(SHELLS[request.param], tmp_path)


@pytest.fixture
def dash(tmp_path: Path) -> Node:
    return Node(SHELLS["dash"], tmp_path)


def job(service: Service, text: str, **more: Any) -> str:
    quick = Retry(3, 0)
    return render(WrapperJob(
        job="https://wms.example.org:9000/abc", attempt=1, base_url=service.base_url, token=TOKEN,
        ca_pem=service.ca_pem, executable="/bin/sh", arguments=literal("-c", text), start_retry=NEVER,
        output_retry=quick, **more))


@contextmanager
def running(node: Node, script: str, **environment: str) -> Iterator[Any]:
    """A wrapper that does not outlive a test that fails."""
    with node.begin(script, **environment) as process:
        try:
            yield process
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise


GREET = 'printf "Your name? "; read name; echo "Hello, $name"; cat; echo "bye" >&2'


def finished(process: Any, node: Node) -> tuple[int, str]:
    output, _ = process.communicate()
    assert list(node.home.iterdir()) == []
    return process.returncode, output


def test_a_job_asks_and_is_answered(node: Node, service: Service) -> None:
    with running(node, job(service, GREET, interactive=True, stdout="std.out", output_sandbox=["std.out"])) as process:
        service.wait_printed(b"Your name? ")
        service.type(b"World\n")
        service.wait_printed(b"Hello, World\n")
        service.type(b"more\n", end=True)
        status, output = finished(process, node)
    assert (status, "job exit status = 0" in output) == (0, True), output
    assert service.printed == b"Your name? Hello, World\nmore\nbye\n"
    assert service.outputs() == {"std.out": service.printed}
    assert service.done()["notes"] == []


def test_a_terminal_and_checkpoints_go_together(dash: Node, service: Service) -> None:
    text = 'read line; echo "$line"'
    with running(dash, job(service, text, interactive=True, checkpointable=True)) as process:
        service.type(b"both\n")
        service.wait_printed(b"both\n")
        status, output = finished(process, dash)
    assert status == 0, output


@pytest.mark.parametrize("missing", [(), ("curl",), ("stdbuf",)], ids=["all", "curl", "stdbuf"])
def test_connections_break_and_nothing_is_lost_or_said_twice(
    missing: tuple[str, ...], dash: Node, service: Service, tmp_path: Path
) -> None:
    service.faults["GET", "/session"] = [0, 1, 503, 1, 0]
    service.faults["PUT", "/session"] = [503, 1, 0, 1, 408]
    path = without(tmp_path, *missing)
    for tool in {"cat", "head", "mkfifo", "stdbuf"} - set(missing):
        Path(path, tool).symlink_to(os.path.realpath(str(shutil.which(tool))))
    text = 'n=0; while [ $n -lt 5 ]; do read line || exit 9; echo "$n:$line"; n=$((n + 1)); done; exit 7'
    with running(dash, job(service, text, interactive=True), PATH=path) as process:
        for number in range(5):
            service.type(b"line %d\n" % number)
            service.wait_printed(b"%d:line %d\n" % (number, number))
        status, output = finished(process, dash)
    assert (status, service.done()["exit_code"]) == (0, 7), output
    assert service.printed == b"".join(b"%d:line %d\n" % (n, n) for n in range(5))


def test_much_is_printed_after_the_last_answer(node: Node, service: Service) -> None:
    with running(node, job(service, "seq 1 100000", interactive=True)) as process:
        status, output = finished(process, node)
    assert status == 0, output
    assert service.printed == b"".join(b"%d\n" % n for n in range(1, 100001))


def test_a_terminal_that_is_refused_does_not_end_the_job(dash: Node, service: Service) -> None:
    service.faults["GET", "/session"] = [409] * 3
    service.faults["PUT", "/session"] = [409] * 3
    with running(dash, job(service, "cat; echo over; exit 3", interactive=True)) as process:
        status, output = finished(process, dash)
    assert (status, service.done()["exit_code"]) == (0, 3), output
    assert service.done()["notes"] == ["the end of the output did not reach the terminal"]


def test_a_signal_ends_what_runs_beside_the_job(node: Node, service: Service) -> None:
    with running(node, job(service, "echo up; sleep 1000", interactive=True, perusal_period_s=100)) as process:
        service.wait_printed(b"up\n")
        process.send_signal(signal.SIGTERM)
        status, output = finished(process, node)
    assert (status, "Job has been terminated (got SIGTERM)" in output) == (1, True)


def test_a_payload_that_never_begins_leaves_nothing_behind(node: Node, service: Service) -> None:
    text = job(service, "true", interactive=True)
    hindered = text.replace("exec <&8", "exit 4; exec <&8")
    assert hindered != text
    with running(node, hindered) as process:
        status, output = finished(process, node)
    assert (status, service.done()["exit_code"]) == (0, 4), output


# -- perusal -----------------------------------------------------------------------------------------------


def test_files_are_seen_while_they_grow_and_at_the_end(node: Node, service: Service) -> None:
    service.looked = {"a b": b"", "never": b"", "log": b""}
    text = "printf one >log; printf blank >'a b'; read go; printf two >>log"
    with running(node, job(service, text, interactive=True, perusal_period_s=1)) as process:
        with service.news:
            assert service.news.wait_for(lambda: service.looked["a b"] == b"blank", 20)
            assert service.news.wait_for(lambda: service.looked["log"] == b"one", 20)
        service.type(b"\n")
        status, output = finished(process, node)
    assert status == 0, output
    assert service.looked == {"a b": b"blank", "never": b"", "log": b"onetwo"}


def test_a_look_that_fails_is_made_up_for_and_what_is_too_much_is_left_out(dash: Node, service: Service) -> None:
    service.looked = {"log": b""}
    service.faults["PUT", "/perusal"] = [503, 0]
    text = "printf 0123456789 >log; sleep 3.5"
    with running(dash, job(service, text, perusal_period_s=1, perusal_bytes=4)) as process:
        status, output = finished(process, dash)
    assert (status, service.looked) == (0, {"log": b"??????6789"}), output


def test_an_input_that_has_ended_before_the_start_is_read_whole(node: Node, service: Service) -> None:
    service.type(b"all of it\n", end=True)
    with running(node, job(service, "sleep 0.5; cat; cat", interactive=True)) as process:
        status, output = finished(process, node)
    assert (status, service.printed) == (0, b"all of it\n"), output


def test_nobody_looks(dash: Node, service: Service) -> None:
    with running(dash, job(service, "echo x >log", perusal_period_s=100)) as process:
        status, _ = finished(process, dash)
    assert (status, service.looked) == (0, {})
