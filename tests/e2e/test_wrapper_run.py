"""Rendered job wrappers run by the shells that worker nodes have, against a server that checks each call."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from worker_peer import TOKEN, Peer, Server, serve

from jobadapter.wrapper import InputFile, Retry, Step, WrapperJob, render
from wms.outcome import classify

SHELLS = {name: [str(shutil.which(name)), *more] for name, more in {
    "dash": [], "bash": ["--posix"], "busybox": ["sh"]}.items()}  # fmt: skip
NOW = Retry(2, 0)
NEVER = Retry(0, 0)
HERE = os.environ["PATH"]


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


class Node:
    """A worker node: one shell, one directory where its jobs begin."""

    def __init__(self, shell: list[str], place: Path) -> None:
        self.shell, self.place = shell, place
        self.home = place / "home  of 'jobs'"
        self.home.mkdir()

    def begin(self, script: str, **environment: str) -> subprocess.Popen[str]:
        file = self.place / "script"
        file.write_text(script)
        return subprocess.Popen([*self.shell, str(file)], cwd=self.home, text=True, start_new_session=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                env={"PATH": HERE, "HOME": "/home/user", **environment})

    def run(self, script: str, **environment: str) -> tuple[int, str]:
        """Exit status and output; nothing must be left behind."""
        with self.begin(script, **environment) as process:
            output, _ = process.communicate()
        assert list(self.home.iterdir()) == []
        return process.returncode, output


@pytest.fixture(params=SHELLS)
def node(request: pytest.FixtureRequest, tmp_path: Path) -> Node:
    return Node(SHELLS[request.param], tmp_path)


@pytest.fixture
def dash(tmp_path: Path) -> Node:
    return Node(SHELLS["dash"], tmp_path)


def job(peer: Peer, executable: str = "/bin/true", **more: Any) -> WrapperJob:
    quick = {"start_retry": NOW, "input_retry": NOW, "output_retry": NOW}
    plain = WrapperJob(job="https://wms.example.org:9000/abc", attempt=1, base_url=peer.base_url, token=TOKEN,
                       ca_pem=peer.ca_pem, executable=executable, sequence_code="UI=1:NS=2")
    return replace(plain, **{**quick, **more})


def script(peer: Peer, text: str, name: str = "run.sh", **more: Any) -> WrapperJob:
    """A job whose executable is a script in its input sandbox."""
    return job(peer, name, input_sandbox=[sent(peer, name, f"#!/bin/sh\n{text}\n")], **more)


def sent(peer: Peer, name: str, text: str) -> InputFile:
    peer.inputs[quote(name, safe="")] = text.encode()
    return InputFile(name, sha256(text.encode()).hexdigest(), len(text))


def literal(*texts: str) -> list[list[tuple[str, str]]]:
    return [[("literal", text)] for text in texts]


def failure(peer: Peer, said: tuple[int, str]) -> str:
    """The reason of a wrapper that gave up, the same on both channels."""
    status, output = said
    reason = output.split("LM_log_done_begin\n")[1].split("\nLM_log_done_end")[0].splitlines()[-1]
    assert status == 1
    assert output.endswith("jw exit status = 1\n")
    assert classify(output).reason == reason
    assert peer.done()["failure"] == reason
    return reason


# -- jobs that run -----------------------------------------------------------------------------------------


def test_a_job_without_sandboxes_is_two_calls(node: Node, peer: Peer) -> None:
    status, output = node.run(render(job(peer)))
    *before, word, last = output.splitlines()
    assert (status, before, last) == (0, ["Sequence code: UI=1:NS=2", "job exit status = 0"], "jw exit status = 0")
    assert word == f"wms-outcome: {peer.calls[-1][2].decode()}"
    assert peer.names() == ["POST /start", "POST /done"]
    assert len(peer.connections) == 2
    assert peer.tokens == {f"Bearer {TOKEN}"}
    start, done = json.loads(peer.calls[0][2]), peer.done()
    assert start == {"nonce": done["nonce"], "node": os.uname().nodename, "sequence_code": "UI=1:NS=2"}
    assert len(done["nonce"]) >= 32
    assert {k: done[k] for k in ("exit_code", "signal", "notes", "missing", "failure", "sequence_code")} == {
        "exit_code": 0, "signal": 0, "notes": [], "missing": [], "failure": "", "sequence_code": "UI=1:NS=2"}
    assert all(done[k] >= 0 for k in ("wall_s", "cpu_user_s", "cpu_system_s", "max_rss_kb"))


def test_everything_a_job_may_ask_for(node: Node, peer: Peer) -> None:
    text = """echo "$#:$1:$2:$M:$GLITE_WMS_JOBID"; cat; echo err >&2; cat prepared
        mkdir res; echo r >res/r.dat; exit 3"""
    run = script(peer, text, "run it.sh")
    more = [sent(peer, "data/in", "the input\n"), sent(peer, "pro.sh", 'echo "$1" "$N" >prepared')]
    run = replace(
        run, input_sandbox=[*run.input_sandbox, *more],
        arguments=[*literal("a b"), [("variable", "N"), ("literal", "%")]],
        environment=[("N", "3"), ("M", "$N${HOME}")], stdin="data/in", stdout="logs/out", stderr="logs/out",
        prologue=Step("pro.sh", literal("said")), epilogue=Step("/bin/sh", literal("-c", "echo e >epi.dat")),
        output_sandbox=["logs/out", "*.dat", "res/*", "nothing", "none*"])  # fmt: skip
    status, output = node.run(render(run))
    assert (status, classify(output).exit_code) == (0, 3)
    assert peer.outputs() == {
        "out": b"2:a b:3%:3/home/user:https://wms.example.org:9000/abc\nthe input\nerr\nsaid 3\n",
        "epi.dat": b"e\n", "r.dat": b"r\n"}  # fmt: skip
    assert (peer.done()["exit_code"], peer.done()["missing"]) == (3, ["nothing", "none*"])
    assert peer.done()["notes"] == [f"Cannot read or missing file {name}" for name in ("nothing", "none*")]
    assert len(peer.connections) == 3


no_slash = st.characters(exclude_characters="\0/", exclude_categories=["Cs"])
no_dollar = st.characters(exclude_characters="\0$", exclude_categories=["Cs"])
name = st.text(st.one_of(st.sampled_from("'\"\\$`*?[]{}()<>|&;#~=%-! \t\n\r\x01é€😀"), no_slash), min_size=1,
               max_size=12)  # fmt: skip
value = st.text(st.one_of(st.sampled_from("'\"\\`*;\n (&"), no_dollar), max_size=12)


@given(st.lists(value, max_size=4), value, name, name)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_texts_arrive_as_they_are(
    dash: Node, peer: Peer, arguments: list[str], setting: str, executable: str, output: str
) -> None:
    peer.forget()
    executable, output = f"e{executable}", f"o{output}"
    text = "printf '%s\\0' \"$@\" \"$SET\"\n"
    content = f"#!/bin/sh\n{text}"
    run = job(peer, executable, input_sandbox=[InputFile(executable, sha256(content.encode()).hexdigest())],
              arguments=literal(*arguments), environment=[("SET", setting)], stdout=output,
              output_sandbox=[output.replace("[", "?"), f"{output} is not there"])
    peer.any_input = content.encode()
    status, said = dash.run(render(run))
    assert status == 0, said
    assert peer.outputs_by_name() == {output: "\0".join([*arguments, setting, ""]).encode()}
    assert peer.done()["missing"] == [f"{output} is not there"]


@pytest.mark.parametrize(("answer", "code"), [
    (b'{"granted":true,"sequence_code":"UI=1:NS=2:LRMS=3"}', "UI=1:NS=2:LRMS=3"),
    (b'{ "sequence_code" : "UI=4", "granted": true }\n', "UI=4"),
    (b'{"sequence_code":"a b$(x)"}', "UI=1:NS=2"), (b'{"sequence_code":""}', "UI=1:NS=2"),
    (b'{"sequence_code":null}', "UI=1:NS=2"), (b"", "UI=1:NS=2"),
])  # fmt: skip
def test_the_sequence_code_goes_on_from_the_answer_to_the_start(
    answer: bytes, code: str, node: Node, peer: Peer
) -> None:
    peer.granted = answer
    run = script(peer, 'echo "$GLITE_WMS_SEQUENCE_CODE"', stdout="out", output_sandbox=["out"])
    _, output = node.run(render(run))
    assert output.startswith(f"Sequence code: {code}\n")
    assert (peer.done()["sequence_code"], peer.outputs()["out"].decode()) == (code, f"{code}\n")


def test_the_signal_that_ended_a_job_is_reported(node: Node, peer: Peer) -> None:
    node.run(render(job(peer, "/bin/sh", arguments=literal("-c", "kill -KILL $$"))))
    assert (peer.done()["exit_code"], peer.done()["signal"]) == (137, 9)


def test_times_are_measured(node: Node, peer: Peer) -> None:
    burn = "i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done; sleep 0.1"
    node.run(render(job(peer, "/bin/sh", arguments=literal("-c", burn))))
    assert 0.01 <= peer.done()["cpu_user_s"] + peer.done()["cpu_system_s"] <= peer.done()["wall_s"] + 0.05


@pytest.mark.parametrize("beside", [{}, {"proxy": True}], ids=["alone", "by the watch over the proxy"])
def test_memory_is_watched(beside: dict[str, bool], node: Node, peer: Peer, tmp_path: Path) -> None:
    """The largest of its processes is found even if it is seen when it has less. The job ends when that is noted."""
    proxy = tmp_path / "proxy"
    proxy.touch()
    text = f"""{sys.executable} -c 'a = bytearray(60_000_000); del a; import time; time.sleep(1000)' &
        until [ -s ../ctl/rss ] && read -r kb <../ctl/rss && [ "$kb" -gt 58000 ]; do sleep 0.1; done"""
    node.run(render(script(peer, text, **beside)), X509_USER_PROXY=str(proxy))
    assert 58_000 < peer.done()["max_rss_kb"] < 1_000_000


def test_a_short_job_is_not_looked_at(node: Node, peer: Peer) -> None:
    node.run(render(job(peer)))
    assert peer.done()["max_rss_kb"] == 0


def test_bytes_and_files_are_counted(node: Node, peer: Peer) -> None:
    run = script(peer, "printf 0123456789 >a; printf 0123456789 >b", output_sandbox=["a", "b", "none"])
    node.run(render(replace(run, output_limit=15)))
    done = peer.done()
    assert (done["files_in"], done["bytes_in"]) == (1, run.input_sandbox[0].size)
    assert (done["files_out"], done["bytes_out"]) == (2, 15)


def test_what_could_not_be_sent_is_not_counted(node: Node, peer: Peer) -> None:
    peer.faults["PUT", "/output/a"] = [413]
    node.run(render(script(peer, "echo x >a", output_sandbox=["a"])))
    assert (peer.done()["files_out"], peer.done()["bytes_out"]) == (0, 0)


def test_what_a_job_leaves_running_is_ended(node: Node, peer: Peer, tmp_path: Path) -> None:
    leave = f"sleep 1000 & echo $! >{tmp_path}/pid"
    node.run(render(job(peer, "/bin/sh", arguments=literal("-c", leave))))
    pid = int((tmp_path / "pid").read_text())
    gone(pid)


def test_the_capability_is_in_no_list_of_processes(dash: Node, peer: Peer) -> None:
    seen: list[str] = []

    def look() -> None:
        for file in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(file.read_text(errors="replace"))
            except (FileNotFoundError, ProcessLookupError):
                continue

    peer.on_call = look
    dash.run(render(job(peer)))
    assert any("curl" in line for line in seen)
    assert not any("token-" in line for line in seen)


def test_output_beyond_the_limit_is_cut_from_the_front(node: Node, peer: Peer) -> None:
    run = script(peer, "printf 0123456789 >a; printf 0123456789 >b; printf 01234 >c", "run.sh",
                 output_sandbox=["a", "b", "c"], output_limit=18)
    node.run(render(run))
    assert peer.outputs() == {"a": b"0123456789", "b.tail": b"6789", "c.tail": b"1234"}
    assert peer.done()["notes"] == [
        "OSB quota exceeded for b, truncating needed", "Truncated last 4 bytes for file b",
        "OSB quota exceeded for c, truncating needed", "Truncated last 4 bytes for file c"]  # fmt: skip
    assert peer.done()["failure"] == ""


def test_the_ceiling_of_the_site_counts_too(dash: Node, peer: Peer) -> None:
    run = script(peer, "printf 0123456789 >a", output_sandbox=["a"])
    dash.run(render(run), GLITE_LOCAL_MAX_OSB_SIZE="3")
    assert peer.outputs() == {"a.tail": b"789"}


def test_the_site_may_add_steps_of_its_own(dash: Node, peer: Peer, tmp_path: Path) -> None:
    for point in ("cp_1", "cp_1_5", "cp_2", "cp_3"):
        (tmp_path / f"{point}.sh").write_text(f"echo {point} >>{tmp_path}/points\n")
    dash.run(render(job(peer)), GLITE_LOCAL_CUSTOMIZATION_DIR=str(tmp_path))
    assert (tmp_path / "points").read_text().split() == ["cp_1", "cp_1_5", "cp_2", "cp_3"]


# -- nodes that lack something -----------------------------------------------------------------------------


def without(place: Path, *missing: str) -> str:
    """A PATH with what a node has, except some programs."""
    tools = place / "tools"
    tools.mkdir()
    wanted = "curl python3 mkdir rm chmod setsid sha256sum stat tail sleep od tr sh env wc ln getconf"
    for tool in set(wanted.split()) - set(missing):
        real = sys.executable if tool == "python3" else str(shutil.which(tool))
        (tools / tool).symlink_to(os.path.realpath(real))
    return str(tools)


@pytest.mark.parametrize("missing", ["curl", "setsid", "stat"])
def test_a_job_runs_without(missing: str, node: Node, peer: Peer, tmp_path: Path) -> None:
    run = script(peer, "echo done >'a b'; exit 2", output_sandbox=["a b", "none"], output_limit=1000)
    status, output = node.run(render(run), PATH=without(tmp_path, missing))
    assert (status, classify(output).exit_code) == (0, 2), output
    assert peer.outputs_by_name() == {"a b": b"done\n"}
    assert peer.tokens == {f"Bearer {TOKEN}"}


def test_without_a_checksum_program_the_input_is_not_checked_but_that_is_said(
    dash: Node, peer: Peer, tmp_path: Path
) -> None:
    dash.run(render(script(peer, "exit 0")), PATH=without(tmp_path, "sha256sum"))
    assert peer.done()["notes"] == ["no sha256sum here, the input sandbox was not checked"]


@pytest.mark.parametrize("missing", [(), ("curl",)], ids=["curl", "python"])
def test_a_server_with_another_certificate_gets_nothing(
    missing: tuple[str, ...], dash: Node, peer: Peer, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stranger = Peer()
    impostor = serve(other, stranger)
    run = replace(job(peer), ca_pem=stranger.ca_pem)
    status, output = dash.run(render(run), PATH=without(tmp_path, *missing))
    impostor.shutdown()
    impostor.server_close()
    assert (status, peer.calls) == (1, [])
    assert classify(output).reason.startswith("Cannot take shallow resubmission token")


# -- faults, one for each phrase ---------------------------------------------------------------------------


def test_cannot_create_directory(node: Node, peer: Peer) -> None:
    status, output = node.run(render(job(peer)), TMPDIR="/proc")
    assert (status, peer.calls) == (1, [])
    assert classify(output).reason.startswith("Cannot create directory wms_abc.1.")


def test_working_directory_not_writable(node: Node, peer: Peer) -> None:
    node.shell = ["bash", "-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "limited", *node.shell]
    (node.place / "script").write_text("")
    status, output = node.run(render(job(peer)))
    assert (status, peer.calls) == (1, [])
    assert classify(output).reason == "Working directory not writable"


def test_cannot_download_what_is_not_there(node: Node, peer: Peer) -> None:
    run = job(peer, "/bin/true", input_sandbox=[sent(peer, "a", "x"), InputFile("b c")])
    reason = failure(peer, node.run(render(run)))
    assert reason == f"Cannot download b%20c from {peer.base_url}/input/b%20c (404)"
    assert peer.names() == ["GET /input/a", "GET /input/b%20c", "POST /done"]


def test_a_download_is_tried_again(node: Node, peer: Peer) -> None:
    peer.faults["GET", "/input/run.sh"] = [500, 0]
    node.run(render(script(peer, "exit 5")))
    assert peer.done()["exit_code"] == 5
    assert peer.names().count("GET /input/run.sh") >= 3


def test_a_download_that_comes_out_wrong_every_time_is_refused(node: Node, peer: Peer) -> None:
    run = job(peer, input_sandbox=[sent(peer, "a", "x")])
    peer.inputs["a"] = b"y"
    reason = failure(peer, node.run(render(run)))
    assert reason == f"Cannot download a from {peer.base_url}/input/a (wrong checksum)"
    assert peer.names() == ["GET /input/a"] * 3 + ["POST /done"]


def test_an_executable_that_is_not_there_aborts(node: Node, peer: Peer) -> None:
    said = node.run(render(job(peer, "no such")))
    assert failure(peer, said) == "no%20such not found or unreadable"
    assert classify(said[1]).kind == "abort"


def test_a_standard_input_that_is_not_there_aborts(node: Node, peer: Peer) -> None:
    assert failure(peer, node.run(render(job(peer, stdin="in")))) == "in not found or unreadable"


def test_a_prologue_that_fails_prevents_the_start(node: Node, peer: Peer) -> None:
    run = job(peer, prologue=Step("/bin/sh", literal("-c", "exit 9")))
    assert failure(peer, node.run(render(run))) == "prologue failed with error 9"
    assert peer.names() == ["POST /done"]


def test_a_prologue_must_be_there(node: Node, peer: Peer) -> None:
    assert failure(peer, node.run(render(job(peer, prologue=Step("p"))))) == "prologue failed: p not found"


def test_an_epilogue_that_fails_loses_the_output(node: Node, peer: Peer) -> None:
    run = job(peer, epilogue=Step("/bin/false"), output_sandbox=["x"])
    assert failure(peer, node.run(render(run))) == "epilogue failed with error 1"
    assert (peer.outputs(), peer.done()["exit_code"]) == ({}, 0)


def test_a_start_that_was_taken_stops_the_wrapper_at_once(node: Node, peer: Peer, tmp_path: Path) -> None:
    peer.nonce = "somebody else's"
    run = job(peer, "/bin/sh", arguments=literal("-c", f"echo x >{tmp_path}/ran"))
    status, output = node.run(render(run))
    assert (status, peer.names()) == (1, ["POST /start"])
    assert classify(output).reason == f"Cannot take shallow resubmission token {peer.base_url}/start (409)"
    assert not (tmp_path / "ran").exists()


def test_a_start_without_an_answer_is_asked_again_with_the_same_nonce(node: Node, peer: Peer) -> None:
    peer.faults["POST", "/start"] = [0, 503]
    status, _ = node.run(render(job(peer)))
    nonces = {json.loads(body)["nonce"] for _, path, body in peer.calls if path == "/start"}
    assert (status, len(nonces)) == (0, 1)
    assert peer.names().count("POST /done") == 1


def test_a_start_that_is_never_answered_is_given_up(node: Node, peer: Peer) -> None:
    peer.faults["POST", "/start"] = [503] * 3
    reason = failure(peer, node.run(render(job(peer))))
    assert reason == f"Cannot take shallow resubmission token {peer.base_url}/start (503)"


def test_an_upload_is_tried_again_and_the_outcome_comes_after_it(node: Node, peer: Peer) -> None:
    peer.faults["PUT", "/output/b"] = [500, 0]
    node.run(render(script(peer, "echo a >a; echo b >b", output_sandbox=["a", "b"])))
    assert peer.outputs() == {"a": b"a\n", "b": b"b\n"}
    assert peer.names()[-1] == "POST /done"
    assert peer.done()["failure"] == ""


@pytest.mark.parametrize(("statuses", "tries"), [([413], 1), ([500] * 3, 3)])
def test_an_upload_that_is_refused_fails_the_job(
    statuses: list[int], tries: int, node: Node, peer: Peer
) -> None:
    peer.faults["PUT", "/output/b"] = list(statuses)
    said = node.run(render(script(peer, "echo a >a; echo b >b; echo c >c", output_sandbox=["a", "b", "c"])))
    assert failure(peer, said) == f"Cannot upload file://b into {peer.base_url}/output/b ({statuses[0]})"
    assert peer.names().count("PUT /output/b") == tries
    assert "job exit status = 0" in said[1]


def test_an_outcome_that_cannot_be_delivered_is_still_on_standard_output(node: Node, peer: Peer) -> None:
    peer.faults["POST", "/done"] = [503] * 3
    status, output = node.run(render(job(peer, "/bin/sh", arguments=literal("-c", "exit 4"))))
    assert (status, classify(output).kind, classify(output).exit_code) == (1, "done", 4)
    assert "Note: the outcome could not be delivered (503)\n" in output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGXCPU,
                                    signal.SIGUSR2])
def test_a_signal_ends_the_job_with_a_last_word(
    number: signal.Signals, node: Node, peer: Peer, tmp_path: Path
) -> None:
    up = tmp_path / "up"
    os.mkfifo(up)
    text = f"sleep 1000 & echo $! >{up}; wait"
    with node.begin(render(job(peer, "/bin/sh", arguments=literal("-c", text)))) as process:
        child = int(up.read_text())
        process.send_signal(number)
        output, _ = process.communicate()
    assert failure(peer, (process.returncode, output)) == f"Job has been terminated (got {number.name})"
    gone(child)
    assert list(node.home.iterdir()) == []


def gone(pid: int) -> None:
    """Until it has ended: whoever was killed may have yet to be told."""
    with suppress(FileNotFoundError):
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)


def test_a_signal_between_start_and_name_of_the_job_still_ends_all_of_it(
    node: Node, peer: Peer, tmp_path: Path
) -> None:
    up = tmp_path / "up"
    os.mkfifo(up)
    text = render(job(peer, "/bin/sh", arguments=literal("-c", f"sleep 1000 & echo $! >{up}; wait")))
    begun = '    "$1" &\n    wms_pid=$!\n'
    assert text.count(begun) == 1
    at_once = f'    "$1" &\n    read -r child <{up}; echo "child=$child"; kill -s INT $$; wms_pid=$!\n'
    with node.begin(text.replace(begun, at_once)) as process:
        output, _ = process.communicate()
    assert failure(peer, (process.returncode, output)) == "Job has been terminated (got SIGINT)"
    child = int(output.split("child=")[1].split()[0])
    gone(child)


def loops(node: Node) -> list[int]:
    """Processes of the wrapper's text: the wrapper, and loops beside the payload."""
    found = [path.name for path in Path("/proc").glob("[0-9]*")
             if str(node.place / "script").encode() in _read(path / "cmdline").split(b"\0")]
    return [int(name) for name in found]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_signal_between_start_and_name_of_a_loop_leaves_none_behind(node: Node, peer: Peer) -> None:
    text = render(job(peer, "/bin/sleep", arguments=literal("1000")))
    begun = "            wms_watcher=$!\n"
    assert text.count(begun) == 1
    with node.begin(text.replace(begun, "            sleep 0.3; kill -s TERM $$\n" + begun)) as process:
        process.communicate()
    while left := loops(node):
        gone(left[0])
    assert list(node.home.iterdir()) == []


def test_loops_end_when_their_wrapper_was_killed(node: Node, peer: Peer, tmp_path: Path) -> None:
    up = tmp_path / "up"
    os.mkfifo(up)
    text = render(job(peer, "/bin/sh", memory_period_s=1, arguments=literal("-c", f"echo $$ >{up}; exec sleep 1000")))
    with node.begin(text) as process:
        payload = int(up.read_text())
        while len(loops(node)) < 2:
            time.sleep(0.01)
        process.kill()
        process.wait()
        while left := loops(node):
            gone(left[0])
        os.kill(payload, signal.SIGKILL)
