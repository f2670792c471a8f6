"""Figures of Logging & Bookkeeping: statistics, counters, the service about itself."""

from __future__ import annotations

from wms.operations.row import Operation

ROWS: tuple[Operation, ...] = ()
