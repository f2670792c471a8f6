"""The tour of README.md, typed as it stands there: every command must succeed, and nothing may be left running.

A block of the tour is fenced as ```sh and has the line `# tour` in it. All blocks are one session of one shell
in a fresh directory that holds what a checkout has after `make install`: the examples and `.venv`.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from deployment import REPOSITORY, assert_nothing_runs

README = REPOSITORY / "README.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"^# tour$", re.MULTILINE)
TOUR_S = 240


def tour(text: str) -> str:
    """The marked blocks of a README as one script, in order."""
    return "\n".join(block for block in BLOCK.findall(text) if MARK.search(block))


def walk(script: str, directory: Path, *before: str) -> subprocess.CompletedProcess[str]:
    """Run the commands as one session; the first that fails ends it and is the last one shown (`+ ...`).

    `before`: words of a command that runs the shell.
    """
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "LANG": "C.UTF-8", "PS4": "+ ",
                   "PYTHON": sys.executable}
    command = [*before, "bash", "-euxo", "pipefail", "-c", script]
    with subprocess.Popen(command, cwd=directory, env=environment, text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True) as process:
        try:
            said, _ = process.communicate(timeout=TOUR_S)
        except subprocess.TimeoutExpired:  # whoever started something stops it
            os.killpg(process.pid, signal.SIGTERM)
            said, _ = process.communicate()
            subprocess.run([f"{sys.prefix}/bin/wms", "down", "--dir", directory / ".wms"], check=False)
    return subprocess.CompletedProcess(command, process.returncode, said)


def test_marked_blocks_are_found_in_order() -> None:
    text = "a\n```sh\n# tour\none\n```\n```sh\nnot me\n```\n```\n# tour\nnor me\n```\n```sh\ntwo  # tour\n# tour\n```\n"
    assert tour(text).split("\n") == ["# tour", "one", "", "two  # tour", "# tour", ""]


def test_the_first_command_that_fails_ends_the_tour(tmp_path: Path) -> None:
    done = walk("x=1\nfalse | true\necho never", tmp_path)
    first, *pipeline = done.stdout.splitlines()
    assert (done.returncode, first, sorted(pipeline)) == (1, "+ x=1", ["+ false", "+ true"])


@pytest.fixture
def checkout(workplace: Path) -> Path:
    """What the tour needs of a checkout."""
    directory = workplace / "tour"
    directory.mkdir()
    shutil.copytree(REPOSITORY / "examples", directory / "examples")
    (directory / ".venv").symlink_to(sys.prefix)
    return directory


@pytest.mark.timeout(2 * TOUR_S)
def test_every_command_of_the_tour_succeeds(checkout: Path) -> None:
    script = tour(README.read_text())
    assert script, "README.md has no ```sh block with the line `# tour`"
    done = walk(script, checkout)
    assert_nothing_runs(checkout)
    assert done.returncode == 0, done.stdout


@pytest.mark.timeout(2 * TOUR_S)
def test_so_it_does_on_a_real_slurm(checkout: Path) -> None:
    script = tour(README.read_text()).replace("wms up --dir .wms", 'wms up --dir .wms --ce "$WMS_CES"')
    done = walk(script, checkout, "sh", str(REPOSITORY / "tests/testbed/demo-slurm.sh"), "cluster")
    assert_nothing_runs(checkout)
    assert done.returncode == 0, done.stdout
    assert "jobmanager-slurm-main" in done.stdout


@pytest.mark.timeout(2 * TOUR_S)
def test_so_does_the_demonstration(checkout: Path) -> None:
    done = walk(f"sh {REPOSITORY}/tests/testbed/demo-slurm.sh cluster", checkout)
    assert_nothing_runs(checkout)
    assert done.returncode == 0, done.stdout
    assert "The output was fetched and checked" in done.stdout
