"""Wrappers store the output of their jobs at a real WebDAV server, with the proxies that jobs have."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))

from worker_peer import TOKEN, Peer, serve

from jobadapter.wrapper import InputFile, Retry, WrapperJob, render
from tests import ports
from wms.faults import Fault, judge
from wms.jdl.destinations import Destination
from wms.outcome import classify

Settings = dict[str, str]
PROGRAM = b"#!/bin/sh\nhead -c \"$1\" /dev/zero | tr '\\0' x >\"a b'\\\"c.dat\"\n"
NAME = "a b'\"c.dat"
SUM = sha256(b"x" * 300_000).hexdigest()


@pytest.fixture(scope="module")
def storage(start: Callable[..., Settings], ca: Settings) -> Settings:
    first = next(port for port in (ports.free_port() for _ in range(100)) if port + 1 < 65_000)
    return start("xrootd", XROOTD_PORT=str(first), CA_DIR=ca["CA_DIR"])


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peer]:
    peer = Peer()
    server = serve(tmp_path_factory.mktemp("server"), peer)
    yield peer
    server.shutdown()
    server.server_close()


@pytest.fixture(params=["curl", "python3", "wget"])
def tools(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place = tmp_path / "tools"
    place.mkdir()
    plain = "mkdir rm chmod setsid sha256sum stat tail head sleep od tr sh env wc ln mv cp cat base64 date timeout"
    for tool in [*plain.split(), request.param]:
        real = sys.executable if tool == "python3" else str(shutil.which(tool))
        (place / tool).symlink_to(os.path.realpath(real))
    return str(place)


def run(peer: Peer, tools: str, place: Path, address: str, size: int = 3, **environment: str) -> tuple[int, str]:
    peer.forget()
    peer.any_input = PROGRAM
    job = WrapperJob(job="https://wms.example.org:9000/abc", attempt=1, base_url=peer.base_url, token=TOKEN,
                     ca_pem=peer.ca_pem, executable="run.sh", arguments=[[("literal", str(size))]],
                     sequence_code="UI=1", proxy=True, input_sandbox=[InputFile("run.sh")], output_sandbox=[NAME],
                     destinations={NAME: Destination(NAME, address)}, start_retry=Retry(0, 0),
                     input_retry=Retry(0, 0), output_retry=Retry(0, 0))
    (place / "script").write_text(render(job))
    done = subprocess.run([str(shutil.which("dash")), str(place / "script")], cwd=place, text=True, capture_output=True,
                          env={"PATH": tools, "TMPDIR": str(place), **environment}, check=False)
    return done.returncode, done.stdout


def test_the_file_is_there_with_its_content(
        storage: Settings, proxies: Settings, peer: Peer, tools: str, tmp_path: Path) -> None:
    place = f"generated/{Path(tools).parent.name}/new/"
    status, output = run(peer, tools, tmp_path, storage["STORAGE_URL"] + place, 300_000,
                         X509_USER_PROXY=proxies["PROXY_alice_rfc"], X509_CERT_DIR=storage["X509_CERT_DIR"])
    assert status == 0, output
    stored = Path(storage["STORAGE_ROOT"]) / place / NAME
    assert sha256(stored.read_bytes()).hexdigest() == SUM
    assert peer.outputs() == {}
    assert peer.done()["notes"] == [f"a%20b%27%22c.dat is at {storage['STORAGE_URL']}{place}a%20b%27%22c.dat"]


@pytest.mark.parametrize("kind", ["none", "legacy"])
def test_who_may_not_store_there_owns_the_failure(
        storage: Settings, proxies: Settings, peer: Peer, tools: str, tmp_path: Path, kind: str) -> None:
    proxy = {} if kind == "none" else {"X509_USER_PROXY": proxies[f"PROXY_alice_{kind}"]}
    status, output = run(peer, tools, tmp_path, storage["STORAGE_URL"] + "x", X509_CERT_DIR=storage["X509_CERT_DIR"],
                         **proxy)
    reason = classify(output).reason
    assert (status, peer.done()["failure"]) == (1, reason)
    assert reason.startswith(f"Cannot upload file://a%20b%27%22c.dat into {storage['STORAGE_URL']}x (")
    if kind == "none":
        assert judge(reason).owner == Fault.CREDENTIAL, reason


def test_a_storage_that_the_node_does_not_know_is_a_failure_of_the_site(
        storage: Settings, proxies: Settings, peer: Peer, tools: str, tmp_path: Path) -> None:
    (tmp_path / "certificates").mkdir()
    _, output = run(peer, tools, tmp_path, storage["STORAGE_URL"] + "y",
                    X509_USER_PROXY=proxies["PROXY_alice_rfc"], X509_CERT_DIR=str(tmp_path / "certificates"))
    reason = classify(output).reason
    assert reason.endswith("(the certificate of the server is not trusted here)")
    assert judge(reason).owner == Fault.SITE


def test_a_storage_that_is_away_is_a_failure_of_the_network(
        proxies: Settings, peer: Peer, tools: str, tmp_path: Path) -> None:
    _, output = run(peer, tools, tmp_path, f"https://localhost:{ports.free_port()}/z",
                    X509_USER_PROXY=proxies["PROXY_alice_rfc"])
    reason = classify(output).reason
    assert reason.endswith("(no answer)")
    assert judge(reason).owner == Fault.NETWORK
