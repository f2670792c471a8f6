"""Jobs on a worker node read what the match knew, and store their output data, under each shell and awk."""

from __future__ import annotations

import http.server
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from test_wrapper_run import SHELLS, Node, node, peer, script, server
from worker_peer import Peer

from jobadapter.output_data import Stored
from jobadapter.wrapper import render
from jobadapter.wrapper_data import COMMAND

__all__ = ["node", "peer", "server"]
INFO = """[
  ComputingElement = [ name = "ce.org:8443/jobmanager-local-q"; CloseStorageElements =
    { [ name = "Se.org"; mount = "/da\\"ta\\\\x y"; freespace = -5; Areas = { 1, "b;]" }; 'true' = 1.5E+3 ],
      [ name = "se2.org" ] } ];
  StorageElements =
    { [ name = "se.org"; protocols = { [ name = "gsiftp"; port = 2811 ], [ name = "file"; port = 0 ] } ] };
  InputFNs = { [ name = "lfn:/grid/x"; SFNs = { "sfn://se/path", "srm://b/x" } ], [ name = "lfn:/y"; SFNs = {} ] };
  DataAccessProtocol = { "file", "gsiftp" };
  VirtualOrganisation = "atlas";
]
"""
AWKS = {"busybox": ["busybox", "awk"],
        **{name: [name] for name in ("mawk", "gawk", "original-awk") if shutil.which(name)}}


@pytest.fixture(params=[(shell, awk) for shell in SHELLS for awk in AWKS], ids="-".join)
def tool(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A program that runs the command with that shell and awk."""
    shell, awk = request.param
    (tmp_path / "bin").mkdir()
    for name, words in (("awk", AWKS[awk]), ("tool", [*SHELLS[shell], str(tmp_path / "command")])):
        place = tmp_path / ("bin" if name == "awk" else ".") / name
        found = [str(shutil.which(words[0])), *words[1:]]
        place.write_text("#!/bin/sh\nexec " + " ".join(found) + ' "$@"\n')
        place.chmod(0o755)
    (tmp_path / "command").write_text(COMMAND)
    (tmp_path / "info").write_text(INFO)
    return tmp_path / "tool"


def ask(tool: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    path = f"{tool.parent / 'bin'}:{os.environ['PATH']}"
    done = subprocess.run([str(tool), *words], capture_output=True, text=True, cwd=tool.parent,
                          env={"PATH": path, **environment})
    return done.returncode, done.stdout, done.stderr


def test_every_question_has_its_answer(tool: Path) -> None:
    answers = {
        "getCE": "ce.org:8443/jobmanager-local-q\n", "getVirtualOrganization": "atlas\n",
        "getDataAccessProtocol": "file\ngsiftp\n", "getInputData": "lfn:/grid/x\nlfn:/y\n", "getSEs": "se.org\n",
        "getCloseSEs": "Se.org\nse2.org\n", "getSEMountPoint se.org": '/da"ta\\x y\n', "getSEFreeSpace SE.org": "-5\n",
        "getSEProtocols se.org": "gsiftp\nfile\n", "getSEPort se.org gsiftp": "2811\n",
        "getLFN2SFN lfn:/grid/x": "sfn://se/path\nsrm://b/x\n"}
    assert {asked: ask(tool, "-f", "info", *asked.split()) for asked in answers} == {
        asked: (0, answer, "") for asked, answer in answers.items()}


@pytest.mark.parametrize("asked", [
    "getSEMountPoint se2.org", "getSEFreeSpace x", "getSEPort se.org rfio", "getSEPort x gsiftp",
    "getLFN2SFN lfn:/GRID/x", "getLFN2SFN lfn:/y", "getSEProtocols x"])
def test_what_is_not_known_is_an_error(tool: Path, asked: str) -> None:
    status, out, error = ask(tool, "-f", "info", *asked.split())
    assert (status, out) == (1, "")
    assert error.startswith("Error: the broker information has no answer to ")


def test_told_at_length(tool: Path) -> None:
    assert ask(tool, "-v", "-f", "info", "getSEs") == (0, "BrokerInfo::getSEs(): \n -> se.org\n -> BI_SUCCESS\n", "")
    assert ask(tool, "-f", "info", "-v", "getSEMountPoint", "x") == (
        1, "BrokerInfo::getSEMountPoint(): \n -> BI_ERROR\n", "")


@pytest.mark.parametrize("asked", ["", "getNothing", "getCE x", "getSEPort se.org", "-x getCE", "-f", "getLFN2SFN"])
def test_what_nobody_can_mean(tool: Path, asked: str) -> None:
    status, out, error = ask(tool, *asked.split())
    assert (status, out) == (255, "")
    assert error.startswith("Usage: glite-brokerinfo")


@pytest.mark.parametrize("text", [
    "", "[ a = 1", "[ a = { ]", "nonsense", "[ a = 1; ] ]", "[ a = @; ]", "[ a 1 ]", "[ a ]", "[ a; ]", "[ a = = 1 ]",
    "[ a b = 1 ]", "[ 1 = 1 ]", "{ 1 }}", "[ a = 1 ] [ ]"])
def test_a_file_that_cannot_be_read(tool: Path, text: str) -> None:
    (tool.parent / "info").write_text(text)
    assert ask(tool, "-f", "info", "getCE")[0] == 1
    assert ask(tool, "-f", "info", "getCE")[2] == "Error: the broker information cannot be read\n"


def test_which_file_is_read(tool: Path) -> None:
    assert ask(tool, "getCE") == (1, "", "Error: there is no broker information in .BrokerInfo\n")
    other = {"EDG_WL_RB_BROKERINFO": "info"}
    assert ask(tool, "getVirtualOrganization", **other)[1] == "atlas\n"
    assert ask(tool, "getVirtualOrganization", GLITE_WMS_RB_BROKERINFO="gone", **other)[0] == 1
    assert ask(tool, "-f", "info", "getVirtualOrganization", GLITE_WMS_RB_BROKERINFO="gone")[1] == "atlas\n"
    shutil.copy(tool.parent / "info", tool.parent / ".BrokerInfo")
    assert ask(tool, "getVirtualOrganization")[1] == "atlas\n"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_has_nothing_to_say_of_the_command() -> None:
    answer = subprocess.run(["shellcheck", "-s", "sh", "-"], input=COMMAND, text=True, capture_output=True)
    assert answer.stdout == ""


# -- within a job ----------------------------------------------------------------------------------------


def test_a_job_asks_by_either_name(node: Node, peer: Peer) -> None:
    text = """glite-brokerinfo getCE; edg-brokerinfo -v getCloseSEs; cd /
        glite-brokerinfo getVirtualOrganization; cmp "$GLITE_WMS_RB_BROKERINFO" "$EDG_WL_RB_BROKERINFO" && echo same"""
    node.run(render(script(peer, text, stdout="out", output_sandbox=["out", ".BrokerInfo"], broker_info=INFO)))
    assert peer.outputs()["out"].decode().splitlines() == [
        "ce.org:8443/jobmanager-local-q", "BrokerInfo::getCloseSEs(): ", " -> Se.org", " -> se2.org", " -> BI_SUCCESS",
        "atlas", "same"]
    assert peer.outputs()[".BrokerInfo"].decode() == INFO


def test_a_job_that_was_not_matched_has_neither(node: Node, peer: Peer) -> None:
    text = 'ls -A; command -v glite-brokerinfo; echo "${GLITE_WMS_RB_BROKERINFO-unset}"'
    node.run(render(script(peer, text, stdout="out", output_sandbox=["out"])))
    assert peer.outputs()["out"].decode().splitlines() == ["out", "run.sh", "unset"]


REPORT = ["# Autogenerated by JobWrapper!",
          "# FILE, then where it was stored (no catalogue was told) or Error: and why not"]


def stores(peer: Peer, text: str, *files: Stored) -> str:
    return render(replace(script(peer, text), output_data=files, report="DSUpload_abc.out",
                          output_sandbox=["DSUpload_abc.out"]))


def report(peer: Peer) -> list[str]:
    lines = peer.outputs()["DSUpload_abc.out"].decode().splitlines()
    assert lines[:2] == REPORT
    return lines[2:]


def test_files_are_copied_to_a_mounted_se(node: Node, peer: Peer, tmp_path: Path) -> None:
    se = tmp_path / "se's data"
    place = f"file://se.org{se}/generated/abc"
    node.run(stores(peer, "echo one >'a b'; mkdir d; echo two >d/c",
                    Stored("a b", (f"{place}/a b",)), Stored("d/c", ("file://se.org/proc/no", f"{place}/d/c")),
                    Stored("lost", (f"{place}/lost",)), Stored("d/c")))
    assert report(peer) == [f"a%20b {place}/a b", f"d/c {place}/d/c", "lost Error: no such file",
                            "d/c Error: no storage element can be reached from here"]
    assert {file.name: file.read_text() for file in se.rglob("*") if file.is_file()} == {"a b": "one\n", "c": "two\n"}


def test_what_is_there_is_not_replaced(node: Node, peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    node.run(stores(peer, "echo new >x", Stored("x", (f"file://se.org{tmp_path}/x",))))
    assert report(peer) == ["x Error: there is such a file already"]
    assert (tmp_path / "x").read_text() == "old"


def test_a_job_that_failed_stores_nothing(node: Node, peer: Peer, tmp_path: Path) -> None:
    node.run(stores(peer, "echo new >x; exit 3", Stored("x", (f"file://se.org{tmp_path}/x",))))
    assert report(peer) == ["x Error: not stored, the job ended with 3"]
    assert not (tmp_path / "x").exists()
    assert peer.done()["exit_code"] == 3


class Storage(http.server.BaseHTTPRequestHandler):
    """A storage element that takes what is put, and refuses below /full."""

    got: dict[str, bytes]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        full = self.path.startswith("/full")
        if not full:
            self.got[self.path] = body
        self.send_response(507 if full else 201)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def storage() -> Iterator[tuple[str, dict[str, bytes]]]:
    got: dict[str, bytes] = {}
    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Storage,), {"got": got}))
    threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}", got
    made.shutdown()
    made.server_close()


def test_files_are_put_over_http(node: Node, peer: Peer, storage: tuple[str, dict[str, bytes]]) -> None:
    url, got = storage
    node.run(stores(peer, "echo new >x", Stored("x", (f"{url}/full/x", f"{url}/generated/abc/x")),
                    Stored("x", (f"{url}/full/x",)), Stored("x", ("http://127.0.0.1:1/x",))))
    assert report(peer) == [f"x {url}/generated/abc/x", "x Error: the storage element does not take it: 507",
                            "x Error: the storage element does not take it: no answer"]
    assert got == {"/generated/abc/x": b"new\n"}
