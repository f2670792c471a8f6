"""The bench of Grid Engine: a real one of one host with two slots, started once for the session."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from ce_bench import Bench, Can, Kind

from tests.components import Start
from tests.ports import free_ports


@cache
def grid_engine(start: Start) -> dict[str, str]:
    """What its commands need in their environment."""
    port, port_of_execd = map(str, free_ports(2))
    said = start("gridengine", SGE_PORT=port, SGE_EXEC_PORT=port_of_execd, SGE_SLOTS="2",
                 SGE_QUEUES="default:INFINITY short:00:02:00")
    names = ("SGE_ROOT", "SGE_CELL", "SGE_QMASTER_PORT", "SGE_EXECD_PORT")
    return {**{name: said[name] for name in names}, "PATH": f"{said['SGE_BIN']}:/usr/bin:/bin"}


def _open(request: pytest.FixtureRequest, place: Path) -> Bench:
    environment = grid_engine(request.getfixturevalue("start"))
    settings = {"backend": "sge", "spool": str(place / "spool"), "host": "ce.example.org", "tags": ["VO-test-1"],
                "environment": environment, "fresh_s": 0.1}
    return Bench("sge", settings, place, ce_id="ce.example.org:2119/jobmanager-sge-default")


# When the job script is gone, the rest of its processes is left alone. Small jobs pass large ones that wait.
SGE = Kind(_open, frozenset(Can) - {Can.ORDER, Can.WHOLE_NODES, Can.CHECKS_SIZE, Can.LIMITS_OF_SECONDS, Can.ULIMITS,
                                    Can.ORPHANS})
