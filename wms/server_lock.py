"""A lock on a number in PostgreSQL, which ends with the session that holds it. Loaded where that is the database.

Not here: who needs it, and the lock beside an SQLite database (sole).
"""

from __future__ import annotations

from contextlib import suppress

import psycopg
import sqlalchemy as sa

from wms.engine import SILENCE
from wms.errors import Unavailable

__all__ = ["ServerLock"]

_KEY_BYTES = 7
_SERVER_SILENCE = ("SET tcp_keepalives_idle = 5", "SET tcp_keepalives_interval = 2", "SET tcp_keepalives_count = 3")
"""The server is to notice within seconds that the host of the holder is gone."""


class ServerLock:
    """On a number, by a connection of its own to PostgreSQL, which may be lost and made again."""

    def __init__(self, url: str, role: str) -> None:
        self._url = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        self._key = int.from_bytes(role.encode()[:_KEY_BYTES])
        self._connection: psycopg.Connection[tuple[bool]] | None = None

    def take(self) -> bool:
        try:
            return self._is_ours() or self._taken()
        except psycopg.OperationalError as error:
            self.give()
            raise Unavailable(f"The database does not answer: {error}") from None

    def _is_ours(self) -> bool:
        if self._connection is not None:
            with suppress(psycopg.OperationalError):
                self._connection.execute("SELECT true")
                return True
        self.give()
        return False

    def _taken(self) -> bool:
        self._connection = psycopg.connect(self._url, autocommit=True, **SILENCE)
        for setting in _SERVER_SILENCE:
            self._connection.execute(setting)
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
        if row != (True,):
            self.give()
        return row == (True,)

    def give(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
