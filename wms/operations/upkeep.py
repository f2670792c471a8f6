"""Upkeep of Logging & Bookkeeping: purge, dump, load."""

from __future__ import annotations

from wms.operations.row import Operation

ROWS: tuple[Operation, ...] = ()
