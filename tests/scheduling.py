"""Which tests go to one worker of pytest-xdist (--dist=loadgroup): those that share a real component of their session.

By the names of tests: marks of groups do not reach the scheduler with every version of pytest.
"""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadGroupScheduling

_SHARED = re.compile(r"tests/conformance/(?:test_backend\w*\.py::\w+\[(arc|sge|slurm)\b|test_(arc|slurm)\.py::)")


def component(test: str) -> str:
    """The component that a test needs of its session, "" for none."""
    found = _SHARED.match(test)
    return (found[1] or found[2]) if found else ""


class ByComponent(LoadGroupScheduling):  # type: ignore[misc]
    """Tests of a component are one piece of work, every other test is one by itself."""

    def _split_scope(self, nodeid: str) -> str:
        return component(nodeid) or nodeid


def scheduler(config: Any, log: Any) -> ByComponent | None:
    """For the hook pytest_xdist_make_scheduler."""
    return ByComponent(config, log) if config.getvalue("dist") == "loadgroup" else None
