"""Real grid components, started by `tests/testbed/NAME.sh` on loopback and stopped afterwards.

Nothing is skipped: a missing program fails the tests that need it, with the Debian package to install.
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

from tests import ports

SCRIPTS = Path(__file__).parent.parent / "testbed"
START_S = 120

Settings = dict[str, str]
Start = Callable[..., Settings]


@pytest.fixture(scope="module")
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    return ports.free_port()


@pytest.fixture(scope="session")
def program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """`program("openssl", "openssl", "verify", ...)` runs a program of a Debian package."""
    return _run


def _run(name: str, package: str, *arguments: str, env: Mapping[str, str] | None = None,
         stdin: str = "") -> subprocess.CompletedProcess[str]:
    if shutil.which(name) is None:
        pytest.fail(f"{name} is missing: install the Debian package {package}")
    return subprocess.run([name, *arguments], env={**os.environ, **(env or {})}, input=stdin, text=True,
                          capture_output=True, timeout=START_S, check=False)


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


@pytest.fixture(scope="session")
def start(workplace: Path) -> Iterator[Start]:
    """`start("myproxy", MYPROXY_PORT="4711")` starts a component and returns what its script prints."""
    running: list[tuple[str, Path, Settings]] = []

    def up(name: str, **env: str) -> Settings:
        directory = workplace / f"{name}{len(running)}"
        running.append((name, directory, env))
        return _script(name, "up", directory, env)

    yield up
    for name, directory, env in reversed(running):
        _script(name, "down", directory, env)


@pytest.fixture(scope="session")
def ca(start: Start) -> Settings:
    """A test CA with a host, a service and the users alice and bob."""
    return start("testca")


@pytest.fixture(scope="session")
def proxies(start: Start, ca: Settings) -> Settings:
    """Proxies of alice of every kind: `PROXY_alice_KIND`, kinds as in `proxies.sh`."""
    return start("proxies", CA_DIR=ca["CA_DIR"], PROXY_USERS="alice")
