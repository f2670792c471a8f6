"""What comes before the wrapper on the node of an ARC CE, run by the shells that nodes have."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from wms.ce import CeJob
from wms.ce.arc.description import PROXY, TOKEN, renewal, script

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]


def said(shell: list[str], place: Path, text: str) -> str:
    (place / "wrapper").write_bytes(script(CeJob("one", "https://wms.example.org:9000/one", text, "long")))
    env = {"PATH": "/usr/bin:/bin", "X509_USER_PROXY": "/the/ce's", "X509_USER_KEY": "fake", "BEARER_TOKEN": "x"}
    return subprocess.run([*shell, "./wrapper"], cwd=place, env=env, text=True, capture_output=True, check=True,
                          timeout=60).stdout


SHOW = 'echo "${X509_USER_PROXY-none} ${BEARER_TOKEN_FILE-none} ${BEARER_TOKEN-none} ${X509_USER_KEY-none}"\n'


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_job_finds_its_own_credentials_and_no_others(shell: list[str], tmp_path: Path) -> None:
    assert said(shell, tmp_path, SHOW) == "none none none none\n"
    for name in (PROXY, TOKEN):
        (tmp_path / name).write_text("old\n")
    assert said(shell, tmp_path, SHOW) == f"{tmp_path}/{PROXY} {tmp_path}/{TOKEN} none none\n"


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_last_whole_file_takes_the_place_of_the_old_one(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / PROXY).write_text("old\n")
    for stamp, content in ((9, b"fresh\n"), (10, b"freshest"), (11, b"broken off\n")):
        name, whole = renewal(PROXY, content, stamp)
        (tmp_path / name).write_bytes(whole if stamp < 11 else content)
    assert said(shell, tmp_path, 'cat "$X509_USER_PROXY"; stat -c %a "$X509_USER_PROXY"\n') == "freshest\n600\n"
    assert [path.name for path in tmp_path.glob(f"{PROXY}.*")] == [renewal(PROXY, b"", 11)[0]]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_the_wrapper_may_wait_for_all_its_children(shell: list[str], tmp_path: Path) -> None:
    (tmp_path / PROXY).write_text("old\n")
    assert said(shell, tmp_path, "true & wait; echo over\n") == "over\n"


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "prelude").write_bytes(script(CeJob("one", "j", "", "long")))
    checked = subprocess.run(["shellcheck", "-s", "sh", tmp_path / "prelude"], text=True, capture_output=True,
                             check=False)
    assert checked.stdout == ""
