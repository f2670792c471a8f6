"""Python's collector of reference cycles, set for a daemon: what is there at its start stays, and much passes through.

Requests, rows and events hold no cycles; looking for them after every few hundred objects costs more than the work.
"""

from __future__ import annotations

import gc

ALLOCATIONS = 20_000
"""Objects made, beyond those freed, between two looks at the youngest."""


def settle() -> None:
    """Call it when everything has started: what is there now is not looked at again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(ALLOCATIONS, 10, 10)
