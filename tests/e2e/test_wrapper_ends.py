"""How wrappers end when something around them does: the proxy, the network, their standard output."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from test_wrapper_run import HERE, SHELLS, Node, dash, failure, gone, job, literal, node, peer, script, server
from worker_peer import Peer

from jobadapter.wrapper import Retry, render
from jobadapter.wrapper_expiry import EXPIRY
from logmonitor.translate import Failure, Success, from_output
from wms.faults import Fault, judge

__all__ = ["dash", "node", "peer", "server"]
KEY = ec.generate_private_key(ec.SECP256R1())
EXPIRED = "Job killed by the jobwrapper because of user proxy expiration"


def proxy(ends: float, begins: float | None = None) -> str:
    """A certificate that looks like a proxy, its key behind it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice 301e170d3")])
    start, end = (datetime.fromtimestamp(at, UTC) for at in (ends - 7200 if begins is None else begins, ends))
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(KEY.public_key())
            .serial_number(5).not_valid_before(start).not_valid_after(end).sign(KEY, hashes.SHA256()))
    return (made.public_bytes(serialization.Encoding.PEM) + KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())).decode()


# -- the proxy -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
@given(st.lists(st.integers(0, 250_000_000_000), min_size=1, max_size=6))
@settings(max_examples=6, deadline=None)
def test_the_end_of_a_proxy_is_read_without_any_library(
        shell: str, tmp_path_factory: pytest.TempPathFactory, ends: list[int]) -> None:
    place = tmp_path_factory.mktemp("proxies")
    for index, end in enumerate(ends):
        (place / str(index)).write_text(proxy(end, end // 3))
    text = f"wms_nl='\n'\n{EXPIRY}\nfor X509_USER_PROXY; do wms_proxy_ends; echo \"$wms_ends\"; done"
    done = subprocess.run([*SHELLS[shell], "-c", text, "sh", *(str(place / str(i)) for i in range(len(ends)))],
                          text=True, capture_output=True, check=True)
    assert [int(line) for line in done.stdout.split()] == ends


@pytest.mark.parametrize("content", ["", "no proxy", "-----BEGIN CERTIFICATE-----\n!!!\n", proxy(2e9)[:200]])
def test_what_is_no_proxy_has_no_end(dash: Node, peer: Peer, tmp_path: Path, content: str) -> None:
    (tmp_path / "proxy").write_text(content)
    status, output = dash.run(render(job(peer, "/bin/sh", arguments=literal("-c", "sleep 0.3"), proxy=True)),
                              X509_USER_PROXY=str(tmp_path / "proxy"), GLITE_LOCAL_PROXY_GRACE="0")
    assert (status, peer.done()["failure"]) == (0, ""), output


def test_a_job_ends_with_its_proxy(node: Node, peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text(proxy(time.time() - 1))
    text = f"sleep 1000 & echo $! >{tmp_path}/child; wait"
    said = node.run(render(job(peer, "/bin/sh", arguments=literal("-c", text), proxy=True)),
                    X509_USER_PROXY=str(tmp_path / "proxy"), GLITE_LOCAL_PROXY_GRACE="1")
    assert failure(peer, said) == EXPIRED
    assert judge(EXPIRED).owner == Fault.CREDENTIAL
    assert not judge(EXPIRED).again
    child = int((tmp_path / "child").read_text())
    gone(child)


def test_a_proxy_that_was_renewed_counts(dash: Node, peer: Peer, tmp_path: Path) -> None:
    place, fresh = tmp_path / "proxy", tmp_path / "fresh"
    place.write_text(proxy(time.time() - 1))
    fresh.write_text(proxy(time.time() + 5000))
    text = f"mv {fresh} {place}; sleep 6"
    status, output = dash.run(render(job(peer, "/bin/sh", arguments=literal("-c", text), proxy=True)),
                              X509_USER_PROXY=str(place), GLITE_LOCAL_PROXY_GRACE="4")
    assert (status, peer.done()["failure"]) == (0, ""), output


def test_a_job_whose_proxy_lasts_leaves_no_loop_and_a_site_may_not_want_one(
        dash: Node, peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "proxy").write_text(proxy(time.time() - 1))
    for grace in ("60", "no"):
        peer.forget()
        status, _ = dash.run(render(job(peer, "/bin/sh", arguments=literal("-c", "sleep 0.1"), proxy=True)),
                             X509_USER_PROXY=str(tmp_path / "proxy"), GLITE_LOCAL_PROXY_GRACE=grace)
        assert (status, peer.done()["failure"]) == (0, "")


def test_a_warning_that_means_nothing_to_us_is_not_the_end(node: Node, peer: Peer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "up")
    (tmp_path / "proxy").write_text(proxy(time.time() + 5000))
    text = f"echo >{tmp_path}/up; sleep 0.5; exit 6"
    with node.begin(render(job(peer, "/bin/sh", arguments=literal("-c", text), proxy=True)),
                    X509_USER_PROXY=str(tmp_path / "proxy")) as process:
        (tmp_path / "up").read_text()
        process.send_signal(signal.SIGUSR1)
        process.communicate()
    assert (process.returncode, peer.done()["exit_code"], peer.done()["failure"]) == (0, 6, "")


# -- the two channels of the outcome -----------------------------------------------------------------------


def test_a_service_that_is_gone_after_the_payload_still_gets_all_by_the_ce(node: Node, peer: Peer) -> None:
    run = script(peer, "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; exit 3", output_sandbox=["none"])
    peer.faults["POST", "/done"] = [0, 0, 0]
    status, output = node.run(render(run))
    ending = from_output(output, status, "")
    assert isinstance(ending, Success)
    assert (ending.exit_code, ending.reason) == (3, "Warning: job exit code != 0")
    assert ending.report is not None
    assert ending.report.missing == ("none",)
    assert ending.report.notes[0] == "Cannot read or missing file none"
    assert ending.report.wall_s > 0


def test_output_that_cannot_be_sent_is_a_failure_by_the_ce_too(dash: Node, peer: Peer) -> None:
    peer.faults["PUT", "/output/a"] = [0] * 3
    peer.faults["POST", "/done"] = [0] * 3
    status, output = dash.run(render(script(peer, "echo a >a", output_sandbox=["a"])))
    ending = from_output(output, status, "")
    assert isinstance(ending, Failure)
    assert ending.reason.startswith(f"Cannot upload file://a into {peer.base_url}/output/a (000)")
    assert ending.report is not None
    assert ending.report.exit_code == 0


@pytest.mark.parametrize("lost", [">&-", ">/dev/full", ">&- 2>&- <&-", "| :"])
def test_without_standard_output_the_service_hears_all(node: Node, peer: Peer, tmp_path: Path, lost: str) -> None:
    run = script(peer, "echo out; sleep 0.2; exit 3", stdout="out", output_sandbox=["out"])
    (node.place / "script").write_text(render(run))
    words = " ".join(f"'{word}'" for word in [*node.shell, str(node.place / "script")])
    subprocess.run(["sh", "-c", f"{words} {lost}"], cwd=node.home, check=False, capture_output=True,
                   env={"PATH": HERE, "HOME": "/"})
    assert until(lambda: "POST /done" in peer.names() and list(node.home.iterdir()) == [])
    assert (peer.done()["exit_code"], peer.done()["failure"], peer.outputs()) == (3, "", {"out": b"out\n"})


def until(true: Callable[[], bool]) -> bool:
    """Polls, for a minute at most."""
    over = threading.Event()
    return any(true() or over.wait(0.05) for _ in range(1200))


def test_a_signal_while_the_service_is_away_is_a_last_word_on_standard_output(
        dash: Node, peer: Peer, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "up")
    peer.faults["POST", "/done"] = [503] * 9
    text = f"echo >{tmp_path}/up; sleep 1000"
    with dash.begin(render(job(peer, "/bin/sh", arguments=literal("-c", text), start_retry=Retry(3, 100)))) as process:
        (tmp_path / "up").read_text()
        process.send_signal(signal.SIGUSR2)
        output, _ = process.communicate()
    ending = from_output(output, process.returncode, "")
    assert isinstance(ending, Failure)
    assert ending.retry
    assert ending.reason.startswith("Job has been terminated (got SIGUSR2)")
