"""What must be usable before daemons start, TLS files and database: what is not is named, in one sentence.

Not the settings themselves (wms.config), and no judgement of the database's content (wms.migrations).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from wms.config import Settings
from wms.errors import ConfigError, Unavailable
from wms.tls import ServerContext, server_context


def tls(settings: Settings) -> ServerContext:
    """The server's context; ConfigError names the file or directory that cannot be used."""
    names = settings.tls
    for path in (names.certificate, names.key):
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise ConfigError(f"TLS: cannot read {path}: {error.strerror}.") from None
    if not Path(names.ca_dir).is_dir():
        raise ConfigError(f"TLS: there is no directory {names.ca_dir} of trusted CAs.")
    return server_context(names.certificate, names.key, names.ca_dir)


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
