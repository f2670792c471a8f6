"""Input data are in the working directory before the job, from the first replica that gives them, in every shell."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_wrapper_run import HERE, Node, Peer, dash, failure, job, node, peer, script, server

from jobadapter.input_data import Staged
from jobadapter.wrapper import WrapperJob, render
from wms.errors import SandboxPathRefused
from wms.faults import Fault, judge

__all__ = ["dash", "node", "peer", "server"]
SHOW = "ls -A | grep -v -e out -e run.sh; cat ./* | grep '^data'"
"""Names of what is there, and what is in it."""


class Storage(http.server.BaseHTTPRequestHandler):
    """A storage element: `statuses[path]` come before its files; what was asked for, and with which token."""

    files: dict[str, bytes]
    statuses: dict[str, list[int]]
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(f"{self.path} {self.headers.get('Authorization', '-')}")
        waiting = self.statuses.get(self.path)
        content = self.files.get(self.path)
        status = waiting.pop(0) if waiting else 404 if content is None else 200
        self.send_response(status)
        if status == 307:
            self.send_header("Location", self.path + "/moved")
        body = content if status == 200 and content is not None else b"an error page"
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...


class Element:
    def __init__(self) -> None:
        self.files, self.statuses, self.asked = dict[str, bytes](), dict[str, list[int]](), list[str]()
        handler = type("Handler", (Storage,), {"files": self.files, "statuses": self.statuses, "asked": self.asked})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def storage() -> Iterator[Element]:
    element = Element()
    yield element
    element.server.shutdown()
    element.server.server_close()


def staging(peer: Peer, *files: Staged, text: str = SHOW) -> WrapperJob:
    return script(peer, text, stdout="out", output_sandbox=["out"], input_data=files)


def said(peer: Peer) -> list[str]:
    return peer.outputs()["out"].decode().splitlines()


def test_a_mounted_file_and_one_of_a_server(node: Node, peer: Peer, storage: Element, tmp_path: Path) -> None:
    near = tmp_path / "it's near"
    near.write_text("data of the mount\n")
    storage.files["/d/x%20y"] = b"data of the server\n"
    what = staging(peer, Staged("it's", "lfn:/it's", (f"file://{near}",)),
                   Staged("x y", "lfn:/x y", ("file:///no/such", f"{storage.url}/d/x%20y")))
    assert node.run(render(what))[0] == 0
    assert said(peer) == ["it's", "x y", "data of the mount", "data of the server"]
    assert (peer.done()["files_in"], peer.done()["bytes_in"]) == (3, len(f"#!/bin/sh\n{SHOW}\n") + 18 + 19)
    assert len(storage.asked) == 1


def test_the_next_replica_after_one_that_fails(node: Node, peer: Peer, storage: Element) -> None:
    storage.files["/b/moved"] = b"data\n"
    storage.statuses["/b"] = [307]
    urls = ("http://127.0.0.1:1/x", f"{storage.url}/a", f"{storage.url}/b")
    node.run(render(staging(peer, Staged("x", "lfn:x", urls))))
    assert said(peer) == ["x", "data"]
    assert [line.split()[0] for line in storage.asked] == ["/a", "/b", "/b/moved"]


def test_again_while_there_is_hope(node: Node, peer: Peer, storage: Element) -> None:
    storage.files["/x"] = b"data\n"
    storage.statuses["/x"] = [503, 500]
    node.run(render(staging(peer, Staged("x", "lfn:x", (f"{storage.url}/gone", f"{storage.url}/x")))))
    assert said(peer) == ["x", "data"]
    assert len(storage.asked) == 6


def test_what_cannot_be_had_ends_the_attempt_before_its_start(node: Node, peer: Peer, storage: Element) -> None:
    reason = failure(peer, node.run(render(staging(peer, Staged("x", "lfn:/a b", (f"{storage.url}/gone",))))))
    assert reason == f"Cannot download lfn:/a%20b from {storage.url}/gone (404)"
    assert len(storage.asked) == 1
    assert "POST /start" not in peer.names()
    assert judge(reason).owner == Fault.NETWORK


@pytest.mark.parametrize(("places", "reason"), [
    ((), " (no replica can be reached from here)"),
    (("file:///no/such",), " from a mounted file (the mounted file cannot be read)"),
    (("srm://a.org/x",), " from srm://a.org/x (no command for srm here)"),
    (("http://127.0.0.1:1/x",), " from http://127.0.0.1:1/x (no answer)")])
def test_reasons(places: tuple[str, ...], reason: str, node: Node, peer: Peer) -> None:
    given = node.run(render(staging(peer, Staged("x", "lfn:x", places))))
    assert failure(peer, given) == f"Cannot download lfn:x{reason}"


COMMANDS = {
    "xrdcp": ('[ "$1 $2" = "-f -s" ] && echo "data of $3" >"$4"', "root://a.org:1094//d/x"),
    "globus-url-copy": ('[ "$1" = -q ] && echo "data of $2" >"${3#file://}"', "gsiftp://a.org:2811/d/x"),
    "gfal-copy": ('[ "$1 $2 $3" = "-f -t 3600" ] && echo "data of $4" >"${5#file://}"', "srm://a.org/d/x"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_other_protocols_by_the_tool_of_the_node(command: str, node: Node, peer: Peer, tmp_path: Path) -> None:
    """Stand-ins for the tools, which know the words these are called with."""
    text, url = COMMANDS[command]
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / command).write_text(f"#!/bin/sh\n{text}\n")
    (tmp_path / "tools" / command).chmod(0o755)
    node.run(render(staging(peer, Staged("x", "lfn:x", (url,)))), PATH=f"{tmp_path / 'tools'}:{HERE}")
    assert said(peer) == ["x", f"data of {url}"]


def test_a_tool_that_fails_is_named(dash: Node, peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "gfal-copy").write_text("#!/bin/sh\nexit 71\n")
    (tmp_path / "gfal-copy").chmod(0o755)
    what = staging(peer, Staged("x", "lfn:x", ("srm://a.org/x",)))
    assert failure(peer, dash.run(render(what), PATH=f"{tmp_path}:{HERE}")).endswith("(gfal-copy ended with 71)")


def test_no_error_page_becomes_the_file(dash: Node, peer: Peer, storage: Element) -> None:
    storage.statuses["/x"] = [500] * 9
    reason = failure(peer, dash.run(render(staging(peer, Staged("x", "lfn:x", (f"{storage.url}/x",))))))
    assert reason.endswith("(500)")
    assert len(storage.asked) == 3


def test_names_that_leave_the_directory_are_refused(peer: Peer) -> None:
    with pytest.raises(SandboxPathRefused):
        render(staging(peer, Staged("../x", "lfn:x")))


# -- software of the VO ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mounted", "site", "expected"), [
    (["b.cern.ch", "c.cern.ch"], "", "{cvmfs} {cvmfs}/b.cern.ch"), ([], "", "unset unset"),
    (["a.cern.ch"], "/sw/here", "{cvmfs} /sw/here")])
def test_the_first_repository_that_is_mounted(
    mounted: list[str], site: str, expected: str, node: Node, peer: Peer, tmp_path: Path
) -> None:
    cvmfs = tmp_path / "cvmfs"
    for name in mounted:
        (cvmfs / name).mkdir(parents=True)
    text = 'echo "${CVMFS_MOUNT_DIR-unset} ${VO_VO_EXAMPLE_ORG_SW_DIR-unset}"'
    what = script(peer, text, stdout="out", output_sandbox=["out"], vo="vo.example.org",
                  software=["a.cern.ch", "b.cern.ch", "c.cern.ch"])
    here = {"CVMFS_MOUNT_DIR": str(cvmfs)} if mounted else {}
    node.run(render(what), **here, **({"VO_VO_EXAMPLE_ORG_SW_DIR": site} if site else {}))
    assert said(peer) == [expected.format(cvmfs=cvmfs)]


def test_a_vo_without_repositories_costs_nothing(peer: Peer) -> None:
    assert render(job(peer, vo="dteam")) == render(job(peer))
