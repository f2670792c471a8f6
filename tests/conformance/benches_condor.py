"""The bench of HTCondor: its real commands' stand-ins, a pool of two CPUs in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ce_bench import Bench, Can, Kind

STAND_IN = Path(__file__).parent / "standins" / "condor.py"


@contextmanager
def pool(cpus: int = 2) -> Iterator[Path]:
    """A directory with a pool in it: the path of its socket is short."""
    directory = Path(tempfile.mkdtemp(prefix="condor"))
    process = subprocess.Popen([sys.executable, str(STAND_IN), str(directory), str(cpus)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"ready\n"
        yield directory
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        shutil.rmtree(directory)


def settings_of(place: Path, directory: Path, **more: Any) -> dict[str, Any]:
    return {"spool": str(place / "spool"), "host": "ap.example.org", "path": f"{directory}/bin:/usr/bin:/bin",
            "tags": ["VO-test-1"], "vacate_s": 1, "poll_s": 0.5,
            "queues": {"default": {}, "short": {"max_wall_s": 120}}, **more}


def _open(request: pytest.FixtureRequest, place: Path) -> Bench:
    """The pool ends after the bench was closed."""
    running = pool()
    directory = running.__enter__()
    request.addfinalizer(lambda: running.__exit__(None, None, None))
    return Bench("htcondor", settings_of(place, directory), place,
                 ce_id="ap.example.org:9619/jobmanager-condor-default", writes="submit")


CONDOR = Kind(_open, frozenset({Can.SURE_KILL, Can.SLOTS, Can.LIMITS_OF_SECONDS, Can.SESSIONS, Can.EXIT_STATUS,
                                Can.WAKES, Can.SPOOL}))
