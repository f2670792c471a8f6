"""Real grid components, started by `tests/testbed/NAME.sh` on loopback and stopped afterwards.

Nothing is skipped: a missing program fails the tests that need it, with the Debian package to install.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests import ports
from tests.components import START_S, Settings, Start, starting, workplace

__all__ = ["workplace"]


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


@pytest.fixture(scope="session")
def start_once(workplace: Path) -> Iterator[Start]:
    """Starts what all modules share."""
    yield from starting(workplace)


@pytest.fixture(scope="module")
def start(workplace: Path) -> Iterator[Start]:
    """`start("myproxy", MYPROXY_PORT="4711")` starts a component for a module and returns what its script prints."""
    yield from starting(workplace)


@pytest.fixture(scope="session")
def ca(start_once: Start) -> Settings:
    """A test CA with a host, a service and the users alice and bob."""
    return start_once("testca")


@pytest.fixture(scope="session")
def proxies(start_once: Start, ca: Settings) -> Settings:
    """Proxies of alice of every kind: `PROXY_alice_KIND`, kinds as in `proxies.sh`."""
    return start_once("proxies", CA_DIR=ca["CA_DIR"], PROXY_USERS="alice")
