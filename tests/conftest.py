"""For all tests: how Hypothesis behaves, where the commands of this environment are, and that nothing is left."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("wms", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("wms")

os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
for _name in ("WMS_DIR", "WMS_ENDPOINT", "WMS_LB", "WMS_CONFIG", "X509_USER_PROXY", "X509_CERT_DIR"):
    os.environ.pop(_name, None)

OURS = (b"wms.daemon", b"wmsd", b"wms-runner")


def _ours() -> dict[str, str]:
    """Processes of this system by pid and start time."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command = (path / "cmdline").read_bytes()
            started = (path / "stat").read_text().rpartition(")")[2].split()[19]
        except OSError:
            continue
        if any(name in command for name in OURS):
            found[f"{path.name} {started}"] = command.replace(b"\0", b" ").decode(errors="replace")[:200]
    return found


@pytest.fixture(scope="session", autouse=True)
def nothing_is_left_running() -> Iterator[None]:
    """A process that the tests started and did not end is a failure; it is named, not killed."""
    before = _ours()
    yield
    left = {key: command for key, command in _ours().items() if key not in before}
    assert not left, f"left running: {left}"
