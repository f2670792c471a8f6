"""Events into Logging & Bookkeeping over HTTPS."""

from __future__ import annotations

from wms.operations.row import Operation

ROWS: tuple[Operation, ...] = ()
