"""Registered questions of Logging & Bookkeeping, and what they deliver."""

from __future__ import annotations

from wms.operations.row import Operation

ROWS: tuple[Operation, ...] = ()
