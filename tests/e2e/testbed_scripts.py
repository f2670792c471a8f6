"""The scripts of the test bed, which start real components."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parent.parent / "testbed"
START_S = 120


def script(name: str, verb: str, directory: Path, environment: dict[str, str]) -> dict[str, str]:
    """What a script of the test bed prints, as KEY -> value."""
    done = subprocess.run([SCRIPTS / f"{name}.sh", verb, directory], env={**os.environ, **environment}, text=True,
                          capture_output=True, timeout=START_S, check=False)
    if done.returncode:
        pytest.fail(f"{name}.sh {verb}: {done.stderr}")
    return dict(part.partition("=")[::2] for part in shlex.split(done.stdout))  # type: ignore[misc]
