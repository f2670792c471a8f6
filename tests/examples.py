"""Which examples a property gets: how many, and whether new ones are searched for or always the same are taken.

Under coverage a line takes some three times as long; what coverage wants to see needs few examples, always the same.
A proof of everything (`make test`) is to come out the same twice, so it takes the same ones, too; new ones are searched
for by `make check` and `make soak`.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

__all__ = ["examples", "load"]

PART = float(os.environ.get("WMS_EXAMPLES") or 1)
SAME = bool(os.environ.get("WMS_SAME_EXAMPLES"))


def examples(number: int) -> int:
    """So many, or that part of them that WMS_EXAMPLES says."""
    return max(1, round(number * PART))


def load() -> None:
    """The profile for all tests."""
    settings.register_profile("wms", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True,
                              max_examples=examples(100), derandomize=SAME)
    settings.load_profile("wms")
