"""Logging & Bookkeeping for a browser: pages, feeds, live news."""

from __future__ import annotations

from wms.operations.row import Operation

ROWS: tuple[Operation, ...] = ()
