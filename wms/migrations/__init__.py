"""Schema migrations, by alembic: expand first, contract in a later release. `upgrade` and `check`.

Scripts are in `versions`; they are self-contained and never import the tables they make.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from wms.errors import ConfigError


def _config(engine: sa.Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["engine"] = engine
    return config


def heads(engine: sa.Engine) -> tuple[str | None, str | None]:
    """(revision of the database, newest revision we know)."""
    with engine.connect() as conn:
        current = MigrationContext.configure(conn).get_current_revision()
    return current, ScriptDirectory.from_config(_config(engine)).get_current_head()


def upgrade(engine: sa.Engine) -> tuple[str | None, str | None]:
    """Bring the schema to the newest revision; (before, after)."""
    before, _ = heads(engine)
    command.upgrade(_config(engine), "head")
    return before, heads(engine)[0]


def check(engine: sa.Engine) -> None:
    """Refuse a database that is older than this code."""
    current, newest = heads(engine)
    if current is None or (current != newest and _is_older(engine, current)):
        raise ConfigError(f"The database has schema {current or 'none'}, this version needs {newest}.",
                          hint="Run: wmsd migrate")


def _is_older(engine: sa.Engine, current: str) -> bool:
    """A revision we do not know is newer than us: that is allowed, schemas only expand."""
    known = {script.revision for script in ScriptDirectory.from_config(_config(engine)).walk_revisions()}
    return current in known
