"""The bench of the local CE: two slots of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from ce_bench import EVERYTHING, Bench, Can, Kind


def local(place: Path) -> Bench:
    settings = {"spool": str(place / "spool"), "slots": 2, "host": "ce.example.org", "poll_s": 0.1,
                "grace_s": 0.3, "tags": ["VO-test-1"],
                "queues": {"default": {}, "short": {"max_wall_s": 120}}}
    return Bench("local", settings, place, ce_id="ce.example.org:2119/jobmanager-local-default",
                 writes="scratch")


def _open(_request: pytest.FixtureRequest, place: Path) -> Bench:
    return local(place)


LOCAL = Kind(_open, EVERYTHING - {Can.STRAYS})
