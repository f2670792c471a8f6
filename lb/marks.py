"""What the server remembers of itself over a restart: small texts by name.

Not settings, and nothing about a job.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from lb.tables import marks

DUMP_START: Final = "dump_start"
DUMP_END: Final = "dump_end"
"""Ends of the interval of the last dump, epoch seconds."""
PURGE: Final = "purge"
"""How far the last purge has come, JSON."""


def get(conn: sa.Connection, name: str) -> str:
    """The text, "" if there is none."""
    return str(conn.execute(sa.select(marks.c.value).where(marks.c.name == name)).scalar() or "")


def put(conn: sa.Connection, name: str, value: str) -> None:
    """Replace the text."""
    if not conn.execute(marks.update().where(marks.c.name == name).values(value=value)).rowcount:
        conn.execute(marks.insert().values(name=name, value=value))
