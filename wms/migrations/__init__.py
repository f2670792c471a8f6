"""Schema migrations, by alembic: expand first, contract in a later release. `upgrade` and `check`.

Scripts are in `versions`, in files whose names begin with "v" and their revision; they are self-contained and never
import the tables they make. Alembic is loaded for `upgrade` only: every daemon checks when it starts.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from wms.errors import ConfigError

__all__ = ["check", "heads", "upgrade"]

VERSIONS = Path(__file__).parent / "versions"
REVISIONS = sorted(path.stem[1:].partition("_")[0] for path in VERSIONS.glob("v*.py"))
"""All that we know, the newest last."""
_DONE = sa.table("alembic_version", sa.column("version_num"))


def heads(engine: sa.Engine) -> tuple[str | None, str]:
    """(revision of the database, newest revision we know)."""
    if not sa.inspect(engine).has_table(_DONE.name):
        return None, REVISIONS[-1]
    with engine.connect() as conn:
        return conn.scalar(sa.select(_DONE.c.version_num)), REVISIONS[-1]


def upgrade(engine: sa.Engine) -> tuple[str | None, str | None]:
    """Bring the schema to the newest revision; (before, after)."""
    from alembic import command
    from alembic.config import Config

    before, _ = heads(engine)
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.attributes["engine"] = engine
    command.upgrade(config, "head")
    return before, heads(engine)[0]


def check(engine: sa.Engine) -> None:
    """Refuse a database that is older than this code; one that is newer is allowed, schemas only expand."""
    current, newest = heads(engine)
    if current is None or (current != newest and current in REVISIONS):
        raise ConfigError(f"The database has schema {current or 'none'}, this version needs {newest}.",
                          hint="Run: wmsd migrate")
