"""The bench of PBS: stand-ins of its commands, in the formats of OpenPBS, for one host of two CPUs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ce_bench import Bench, Can, Kind

STAND_IN = Path(__file__).parent / "standins" / "pbs.py"


def _open(request: pytest.FixtureRequest, place: Path) -> Bench:
    programs, state = place / "bin", place / "pbs"
    programs.mkdir()
    state.mkdir()
    for name in ("qsub", "qstat", "qdel", "pbsnodes"):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {STAND_IN} {name} "$@"\n')
        program.chmod(0o755)
    settings = {"backend": "pbs", "spool": str(place / "spool"), "host": "ce.example.org", "tags": ["VO-test-1"],
                "path": f"{programs}:/usr/bin:/bin", "environment": {"PBS_STANDIN": str(state)}, "fresh_s": 0.1}
    return Bench("pbs", settings, place, ce_id="ce.example.org:2119/jobmanager-pbs-workq", queue="workq")


PBS = Kind(_open, frozenset(Can) - {Can.LIMITS_OF_SECONDS, Can.ULIMITS, Can.SESSIONS})
