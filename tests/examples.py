"""How many examples a property of the core gets: all, or a part of them where the processor is slow.

Under coverage a line takes some three times as long; what coverage wants to see needs few examples, always the same.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["examples", "load"]

PART = float(os.environ.get("WMS_EXAMPLES") or 1)


def examples(number: int) -> int:
    """So many, or that part of them that WMS_EXAMPLES says."""
    return max(1, round(number * PART))


def load() -> None:
    """The profile for all tests; a small part of the examples is the same part in every run."""
    settings.register_profile("wms", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True,
                              max_examples=examples(100), derandomize=PART < 0.2)
    settings.load_profile("wms")
