"""In what pieces, and in which order, tests go to workers of pytest-xdist (--dist=loadgroup --no-loadscope-reorder).

Tests that share a real component of their session are one piece, by their names: marks of groups do not reach the
scheduler with every version of pytest. So is a module that has a service running, or real components. The storms, which
load a machine as much as it can bear, are one, so that there is one at a time. Every other test is a piece by itself.
The longest pieces begin first, so that no worker is alone with one at the end.
"""

from __future__ import annotations

import re
from typing import Any

from xdist.scheduler import LoadGroupScheduling

__all__ = ["component", "rank", "scheduler"]

_SHARED = re.compile(r"tests/conformance/(?:test_backend\w*\.py::\w+\[(arc|sge|slurm)\b|test_(arc|slurm)\.py::)")
_WHOLE = re.compile(r"(tests/(?:real|gallery|e2e(?!/test_wrapper_))/[^:]+)")
_STORMS = ("test_arc_storm", "test_slurm_storm", "test_kill", "test_compound_kill", "test_credentials_kill",
           "test_interlogger_kill", "test_lb_faults")
_LONGEST = (*_STORMS, "arc", "slurm", "test_ce_faults", "test_gallery", "sge", "test_lb_tools", "test_wmsd",
            "test_grid_story", "test_login", "test_up", "test_proxy_commands", "test_ce_check", "test_token_story",
            "test_tour", "test_cli_compounds", "test_cli", "test_client_errors", "test_ces", "test_systemd",
            "test_lb_orders", "test_sessions", "test_delegation")
"""Components and modules."""


def component(test: str) -> str:
    """The component that a test needs of its session, "" for none."""
    found = _SHARED.match(test)
    return (found[1] or found[2]) if found else ""


def piece(test: str) -> str:
    """The name of the piece that the test belongs to."""
    whole = _WHOLE.match(test)
    if _module(test) in _STORMS:
        return "storms"
    return component(test) or (whole[1] if whole else test)


def rank(test: str) -> int:
    """Where its piece stands in the order; the same for all that are not named."""
    name = component(test) or _module(test)
    return _LONGEST.index(name) if name in _LONGEST else len(_LONGEST)


def _module(test: str) -> str:
    return test.partition(".py")[0].rpartition("/")[2]


class Pieces(LoadGroupScheduling):  # type: ignore[misc]
    """Pieces of work as above."""

    def _split_scope(self, nodeid: str) -> str:
        return piece(nodeid)


def scheduler(config: Any, log: Any) -> Pieces | None:
    """For the hook pytest_xdist_make_scheduler."""
    return Pieces(config, log) if config.getvalue("dist") == "loadgroup" else None
