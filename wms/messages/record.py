"""The base of all messages."""

from __future__ import annotations

import msgspec


class Record(msgspec.Struct, frozen=True, tag=True, omit_defaults=True):
    """Base of all messages."""
