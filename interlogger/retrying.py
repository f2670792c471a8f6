"""How a server that does not answer is tried again: pauses that grow, and smaller requests. Pure.

For ever: there is no number of failures after which an event would be dropped.
"""

from __future__ import annotations

FIRST_S = 0.25


def pause_s(failures: int, longest_s: float, chance: float) -> float:
    """Seconds until the next try after so many failures in a row; `chance` in [0, 1) spreads those of many hosts."""
    grown = FIRST_S * 2.0 ** min(failures - 1, 30)
    return min(longest_s, grown) * (0.5 + chance / 2)


def smaller(size: int) -> int:
    """The next size of a request that failed: one that holds an event the server chokes on ends up alone."""
    return max(1, size // 2)


def larger(size: int, most: int) -> int:
    """The next size of a request that went well."""
    return min(most, size * 2)
