"""Wrappers fetch the input data of their jobs from a real WebDAV server, with the proxies that jobs have."""

from __future__ import annotations

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from test_wrapper_storage import TOKEN, Peer, Settings, peer, storage, tools

from jobadapter.input_data import Staged
from jobadapter.wrapper import InputFile, Retry, WrapperJob, render
from wms.outcome import classify

__all__ = ["peer", "storage", "tools"]
PROGRAM = b"#!/bin/sh\nsha256sum <'a b'\n"
CONTENT = os.urandom(300_000)


def run(peer: Peer, tools: str, place: Path, urls: tuple[str, ...], **environment: str) -> str:
    peer.forget()
    peer.any_input = PROGRAM
    never = Retry(0, 0)
    job = WrapperJob(job="https://wms.example.org:9000/abc", attempt=1, base_url=peer.base_url, token=TOKEN,
                     ca_pem=peer.ca_pem, executable="run.sh", sequence_code="UI=1", proxy=True, stdout="out",
                     input_sandbox=[InputFile("run.sh")], output_sandbox=["out"],
                     input_data=[Staged("a b", "lfn:/grid/a b", urls)], start_retry=never, input_retry=never,
                     output_retry=never)
    (place / "script").write_text(render(job))
    done = subprocess.run([str(shutil.which("dash")), str(place / "script")], cwd=place, text=True, capture_output=True,
                          env={"PATH": tools, "TMPDIR": str(place), **environment}, check=False)
    return done.stdout


@pytest.fixture
def replica(storage: Settings) -> str:
    """A file of the storage element, and its URL."""
    file = Path(storage["STORAGE_ROOT"]) / "staged" / "a b"
    file.parent.mkdir(exist_ok=True)
    file.parent.chmod(0o755)
    file.write_bytes(CONTENT)
    file.chmod(0o644)
    return storage["STORAGE_URL"] + "staged/a%20b"


def test_the_file_is_there_before_the_job(
        storage: Settings, replica: str, proxies: Settings, peer: Peer, tools: str, tmp_path: Path) -> None:
    said = run(peer, tools, tmp_path, (replica + "/gone", replica), X509_USER_PROXY=proxies["PROXY_alice_rfc"],
               X509_CERT_DIR=storage["X509_CERT_DIR"])
    assert classify(said).kind == "done", said
    assert peer.outputs()["out"].split()[0].decode() == sha256(CONTENT).hexdigest()
    assert (peer.done()["files_in"], peer.done()["bytes_in"]) == (2, len(CONTENT))


def test_without_a_credential_there_is_nothing(
        storage: Settings, replica: str, peer: Peer, tools: str, tmp_path: Path) -> None:
    said = run(peer, tools, tmp_path, (replica,), X509_CERT_DIR=storage["X509_CERT_DIR"])
    assert classify(said).reason.startswith(f"Cannot download lfn:/grid/a%20b from {replica} (")
    assert [name for name in peer.names() if name.startswith("POST")] == ["POST /done"]
