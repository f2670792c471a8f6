"""The database must be usable before daemons start: what is not is named, in one sentence.

Not the settings themselves (wms.config) nor the files of TLS (wms.trust), and no judgement of the database's content
(wms.migrations).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from wms.config import Settings
from wms.errors import ConfigError, Unavailable


@contextmanager
def database(settings: Settings) -> Iterator[None]:
    """Around the first use of the database: ConfigError or Unavailable with its place, without its password."""
    try:
        yield
    except (sa.exc.ArgumentError, ImportError):
        raise ConfigError(f"database: there is no database of the kind of {_place(settings)}.",
                          hint="Use sqlite:///PATH or postgresql://USER@HOST:PORT/NAME.") from None
    except sa.exc.OperationalError as error:
        reason = " ".join(str(error.orig).split())
        raise Unavailable(f"database: {_place(settings)} cannot be used: {reason}") from None


def _place(settings: Settings) -> str:
    try:
        return sa.make_url(settings.database_url()).render_as_string(hide_password=True)
    except sa.exc.ArgumentError:
        return "a URL that cannot be read"
