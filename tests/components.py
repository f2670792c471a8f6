"""Fixtures that start real components by `tests/testbed/NAME.sh`, on loopback, and stop them afterwards.

For the conftest of folders that need some. Nothing is skipped: what is missing fails the tests that need it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

__all__ = ["START_S", "Settings", "Start", "start", "starting", "workplace"]

SCRIPTS = Path(__file__).parent / "testbed"
START_S = 120

Settings = dict[str, str]
Start = Callable[..., Settings]


def _script(name: str, verb: str, directory: Path, env: Mapping[str, str]) -> Settings:
    done = subprocess.run([SCRIPTS / f"{name}.sh", verb, directory], env={**os.environ, **env}, text=True,
                          capture_output=True, timeout=START_S, check=False)
    if done.returncode:
        pytest.fail(f"{name}.sh {verb}: {done.stderr}")
    return dict(part.partition("=")[::2] for part in shlex.split(done.stdout))  # type: ignore[misc]


@pytest.fixture(scope="session")
def workplace() -> Iterator[Path]:
    """A short path (unix sockets!) that other accounts may search."""
    path = Path(tempfile.mkdtemp(prefix="wms-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def starting(workplace: Path) -> Iterator[Start]:
    """What starts components; they are stopped at the end."""
    running: list[tuple[str, Path, Settings]] = []

    def up(name: str, **env: str) -> Settings:
        directory = Path(tempfile.mkdtemp(prefix=name, dir=workplace))
        directory.chmod(0o755)
        running.append((name, directory, env))
        return _script(name, "up", directory, env)

    yield up
    for name, directory, env in reversed(running):
        _script(name, "down", directory, env)


@pytest.fixture(scope="session")
def start(workplace: Path) -> Iterator[Start]:
    """`start("myproxy", MYPROXY_PORT="4711")` starts a component and returns what its script prints."""
    yield from starting(workplace)
