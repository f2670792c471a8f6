"""For all tests: how Hypothesis behaves, where the commands of this environment are, and that nothing is left."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import examples
from tests.scheduling import rank, scheduler

examples.load()

os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
for _name in ("WMS_DIR", "WMS_ENDPOINT", "WMS_LB", "WMS_CONFIG", "X509_USER_PROXY", "X509_CERT_DIR"):
    os.environ.pop(_name, None)

# A run in the background is born with these ignored, and a shell that is born so cannot trap them.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)

MARK = f"WMS_TEST_SESSION={os.getpid()}-{os.urandom(6).hex()}"
os.environ["WMS_TEST_SESSION"] = MARK.partition("=")[2]


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    return scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))


def _marked() -> list[str]:
    """Processes that inherited the mark of this session, but ourselves."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (path / "environ").read_bytes().split(b"\0"):
                found.append(f"{path.name} {(path / 'cmdline').read_bytes()[:200]!r}")
        except OSError:
            continue
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """A process that the tests started and did not end is a failure; it is named, not killed."""
    yield
    assert not (left := _marked()), f"left running: {left}"
