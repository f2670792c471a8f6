"""Names of local accounts. Pure.
"""

from __future__ import annotations

import re

__all__ = ["is_account"]

_ACCOUNT = re.compile(r"[a-z_][a-z0-9_.-]{0,30}\$?")


def is_account(name: str) -> bool:
    """Is it a portable user name, no longer than systems take: never an option, a number or a path?"""
    return _ACCOUNT.fullmatch(name) is not None
