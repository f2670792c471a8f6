"""Output that goes elsewhere: a small storage over TLS, paths of the node, a stand-in for the tool of gsiftp."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_wrapper_run import Node, dash, failure, literal, node, peer, script, server
from test_wrapper_transport import TOOLS, of_each_kind, path_with
from worker_peer import Peer, serve

from jobadapter.output_data import Stored
from jobadapter.wrapper import WrapperJob, render
from wms.jdl.ast import Ad
from wms.jdl.ast import node as of_jdl
from wms.jdl.destinations import destinations

__all__ = ["dash", "node", "peer", "server"]


class Storage(Peer):
    """Takes files below directories that were made; `headers` are the credentials that came."""

    def __init__(self, place: Path) -> None:
        super().__init__()
        self.made = {"/"}
        self.place = place

    @property
    def root(self) -> str:
        return self.base_url.partition("/ns/")[0]

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.calls.append((method, path, body))
        if self.faults[method, path]:
            return self.faults[method, path].pop(0), b"no"
        above = path.partition("?")[0].rstrip("/").rpartition("/")[0] + "/"
        if method == "MKCOL":
            known = path in self.made
            if not known and above in self.made:
                self.made.add(path)
            return (405 if known else 201 if above in self.made else 409), b""
        return (201 if above in self.made else 409), b""

    def stored(self) -> dict[str, bytes]:
        return {unquote(path): body for method, path, body in self.calls if method == "PUT"}


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    place = tmp_path_factory.mktemp("storage")
    storage = Storage(place / "certificates")
    server = serve(place, storage)
    storage.place.mkdir()
    hashed = subprocess.run(["openssl", "x509", "-noout", "-subject_hash"], input=storage.ca_pem, text=True,
                            capture_output=True, check=True).stdout.strip()
    (storage.place / f"{hashed}.0").write_text(storage.ca_pem)
    yield storage
    server.shutdown()
    server.server_close()


@pytest.fixture
def storage(started: Storage) -> Storage:
    started.forget()
    started.made = {"/"}
    return started


def sends(peer: Peer, text: str, files: dict[str, str], **more: object) -> WrapperJob:
    ad = Ad().changed({"OutputSandbox": of_jdl(list(files)), "OutputSandboxDestURI": of_jdl(list(files.values()))})
    return script(peer, text, output_sandbox=list(files), destinations=destinations(ad), **more)


@pytest.fixture(params=TOOLS)
def path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return path_with(tmp_path, request.param, "date")


@pytest.fixture
def token(tmp_path: Path) -> str:
    (tmp_path / "token").write_text("aaa.bbb-ccc")
    return str(tmp_path / "token")


@of_each_kind
def test_files_go_where_they_should(
        node: Node, peer: Peer, storage: Storage, path: str, token: str, tmp_path: Path) -> None:
    job = sends(peer, "echo a >a; echo b >b; echo c >'c d'; echo e >e", {
        "a": f"{storage.root}/deep/down/a%20a", "b": "other name", "c d": f"file://{tmp_path}/lay it/c'd",
        "none": f"{storage.root}/none", "e": f"{storage.root}/"}, output_limit=3)
    status, output = node.run(render(job), PATH=path, BEARER_TOKEN_FILE=token, X509_CERT_DIR=str(storage.place))
    assert status == 0, output
    assert storage.stored() == {"/deep/down/a a": b"a\n", "/e": b"e\n"}
    assert storage.tokens == {"Bearer aaa.bbb-ccc"}
    assert (tmp_path / "lay it" / "c'd").read_text() == "c\n"
    assert (tmp_path / "lay it" / "c'd").stat().st_mode & 0o777 == 0o644
    assert peer.outputs_by_name() == {"other name": b"b\n"}
    assert peer.done()["missing"] == ["none"]
    assert (peer.done()["files_out"], peer.done()["bytes_out"]) == (4, 8)
    assert sorted(peer.done()["notes"]) == sorted([
        f"a is at {storage.root}/deep/down/a%20a", f"c%20d is at file://{tmp_path}/lay%20it/c%27d",
        "Cannot read or missing file none", f"e is at {storage.root}/e"])


@of_each_kind
def test_output_data_goes_there_too(
        node: Node, peer: Peer, storage: Storage, path: str, token: str, tmp_path: Path) -> None:
    places = (f"{storage.root}/generated/abc/x", f"file://se.org{tmp_path}/mounted/x")
    job = script(peer, "echo new >x", output_data=[Stored("x", places), Stored("x", places[1:])], report="report.out",
                 output_sandbox=["report.out"])
    status, output = node.run(render(job), PATH=path, BEARER_TOKEN_FILE=token, X509_CERT_DIR=str(storage.place))
    assert status == 0, output
    assert storage.stored() == {"/generated/abc/x": b"new\n"}
    assert storage.tokens == {"Bearer aaa.bbb-ccc"}
    report = peer.outputs_by_name()["report.out"]
    assert report.decode().splitlines()[2:] == [f"x {places[0]}", f"x {places[1]}"]
    assert (peer.done()["files_out"], peer.done()["bytes_out"]) == (3, 8 + len(report))


@of_each_kind
def test_nobody_is_told_who_we_are_by_a_signed_address(
        node: Node, peer: Peer, storage: Storage, path: str, token: str) -> None:
    address = f"{storage.root}/bucket?X-Amz-Signature=s3signed&X-Amz-Expires=9"
    status, output = node.run(render(sends(peer, "echo a >a", {"a": address})), PATH=path, BEARER_TOKEN_FILE=token,
                              X509_CERT_DIR=str(storage.place))
    assert status == 0, output
    assert storage.calls == [("PUT", "/bucket?X-Amz-Signature=s3signed&X-Amz-Expires=9", b"a\n")]
    assert storage.tokens == {""}
    assert "s3signed" not in output


@of_each_kind
def test_it_is_sent_again_and_to_where_it_is_redirected(
        node: Node, peer: Peer, storage: Storage, path: str, token: str) -> None:
    storage.faults["PUT", "/a"] = [503, 0, 307]
    storage.location = f"{storage.root}/pool?opaque=1"
    status, output = node.run(render(sends(peer, "echo a >a", {"a": f"{storage.root}/a"})), PATH=path,
                              BEARER_TOKEN_FILE=token, X509_CERT_DIR=str(storage.place))
    assert status == 0, output
    assert storage.names() == ["PUT /a", "PUT /a", "PUT /a", "PUT /pool?opaque=1"]


@pytest.mark.parametrize(("answer", "tries", "said"), [
    (403, 1, "403, the credential of the job does not count there"), (507, 3, "507"), (413, 1, "413")])
def test_what_the_storage_refuses(node: Node, peer: Peer, storage: Storage, token: str, answer: int, tries: int,
                                  said: str) -> None:
    storage.faults["PUT", "/a"] = [answer] * 3
    reason = failure(peer, node.run(render(sends(peer, "echo a >a", {"a": f"{storage.root}/a"})),
                                    BEARER_TOKEN_FILE=token, X509_CERT_DIR=str(storage.place)))
    assert reason == f"Cannot upload file://a into {storage.root}/a ({said})"
    assert storage.names() == ["PUT /a"] * tries



GSIFTP = """#!/bin/sh
while [ $# -gt 1 ]; do shift; done
printf '%s ' "$1" >>"$TMPDIR/../gsiftp"; cat >>"$TMPDIR/../gsiftp"; exit "$(cat "$TMPDIR/../status")"
"""


def test_gsiftp_needs_its_tool(node: Node, peer: Peer) -> None:
    job = sends(peer, "echo a >a", {"a": "gsiftp://se.org/x/a"})
    assert failure(peer, node.run(render(job))) == (
        "Cannot upload file://a into gsiftp://se.org/x/a (there is no globus-url-copy here)")


@pytest.mark.parametrize("status", [0, 1])
def test_gsiftp_where_its_tool_exists(node: Node, peer: Peer, tmp_path: Path, status: int) -> None:
    tools = Path(path_with(tmp_path, "curl", "date"))
    (tools / "globus-url-copy").write_text(GSIFTP)
    (tools / "globus-url-copy").chmod(0o755)
    (tmp_path / "status").write_text(str(status))
    job = sends(peer, "echo 'a b' >'$a'", {"$a": "gsiftp://se.org/x/$a"})
    said = node.run(render(job), PATH=str(tools), TMPDIR=str(node.home))
    assert (tmp_path / "gsiftp").read_text() == "gsiftp://se.org/x/$a a b\n" * (1 if status == 0 else 3)
    if status:
        assert failure(peer, said) == (
            "Cannot upload file://$a into gsiftp://se.org/x/$a (globus-url-copy ended with 1)")


def test_a_path_that_cannot_be_written(node: Node, peer: Peer) -> None:
    job = sends(peer, "echo a >a", {"a": "file:///proc/wms/a"})
    assert failure(peer, node.run(render(job))) == (
        "Cannot upload file://a into file:///proc/wms/a (cannot be written on this node)")


def test_all_files_of_a_pattern_go_below_one_base(node: Node, peer: Peer, storage: Storage, token: str) -> None:
    ad = Ad().changed({"OutputSandbox": of_jdl(["*.dat", "sub/o"]),
                       "OutputSandboxBaseDestURI": of_jdl(f"{storage.root}/base")})
    job = script(peer, "echo 1 >1.dat; echo 2 >\"2 '.dat\"; mkdir sub; echo 3 >sub/o",
                 output_sandbox=["*.dat", "sub/o"], destinations=destinations(ad))
    status, output = node.run(render(job), BEARER_TOKEN_FILE=token, X509_CERT_DIR=str(storage.place))
    assert status == 0, output
    assert storage.stored() == {"/base/1.dat": b"1\n", "/base/2 '.dat": b"2\n", "/base/o": b"3\n"}
    assert peer.outputs() == {}


hostile = st.text(st.one_of(st.sampled_from("'\"\\$`;&|()<>*?[]{}#%= \t\n\r\x01é€😀~^!"), st.characters(
    exclude_characters="\0/", exclude_categories=["Cs"])), min_size=1, max_size=10)


@pytest.mark.parametrize("tool", TOOLS)
@given(hostile, hostile)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_hostile_addresses(dash: Node, peer: Peer, storage: Storage, tmp_path: Path, tool: str, name: str,
                           place: str) -> None:
    """Nothing in a name or address becomes code; a `file://` path is taken as it is."""
    peer.forget()
    storage.calls.clear()
    lay = tmp_path / f"lay{tool}"
    shutil.rmtree(lay, ignore_errors=True)
    file = f"o{name}"
    job = script(peer, 'printf x >"$1"; printf y >z', arguments=literal(file),
                 output_sandbox=[file.replace("[", "?"), "z"],
                 destinations={**sends(peer, "", {"z": f"file://{lay}/z{place}"}).destinations,
                               **sends(peer, "", {file.replace("[", "?"): f"{storage.root}/p{place}"}).destinations})
    (tmp_path / "token").write_text("t")
    status, said = dash.run(render(job), PATH=path_with(tmp_path, tool, "date"), X509_CERT_DIR=str(storage.place),
                            BEARER_TOKEN_FILE=str(tmp_path / "token"))
    assert status == 0, said
    assert [call[0] for call in storage.calls] == ["PUT"]
    assert storage.calls[0][2] == b"x"
    assert [one.name for one in lay.iterdir()] == [f"z{place}"]
    assert peer.outputs() == {}
