"""The scripts make exactly the tables that the stores declare, on every database."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from database_places import SHARED

from wms import migrations, queue
from wms.database import make_engine, metadata
from wms.errors import ConfigError

pytest_plugins = ["databases"]
STORES = ("lb", "ns", "wm", "jobadapter", "logmonitor", "proxyrenewal")
HINT = ("A store's tables differ from what the migrations make. Add a script to wms/migrations/versions whose "
        "upgrade() does these operations, expanding only: {}")


@pytest.fixture(params=SHARED)
def kind(request: pytest.FixtureRequest) -> str:
    found: str = request.param
    return found


@pytest.fixture
def engine(empty_url: str) -> Iterator[sa.Engine]:
    made = make_engine(empty_url)
    yield made
    made.dispose()


def differences(engine: sa.Engine) -> list[Any]:
    """What a script would have to do to make the tables of every store."""
    for store in STORES:
        importlib.import_module(f"{store}.store")
    with engine.connect() as conn:
        exact = engine.dialect.name == "postgresql"  # alembic misreads SQLite's empty defaults
        context = MigrationContext.configure(conn, opts={"compare_server_default": exact})
        return list(compare_metadata(context, metadata))


def test_the_revisions_we_know_are_those_of_alembic() -> None:
    scripts = ScriptDirectory(str(migrations.VERSIONS.parent))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == migrations.REVISIONS
    assert migrations.REVISIONS[-1] == scripts.get_current_head()


def test_every_migration_together_makes_the_tables_of_the_stores(engine: sa.Engine) -> None:
    assert migrations.upgrade(engine) == (None, migrations.heads(engine)[1])
    found = differences(engine)
    assert not found, HINT.format(found)


def test_upgrading_twice_changes_nothing_and_keeps_the_rows(engine: sa.Engine) -> None:
    migrations.upgrade(engine)
    with engine.begin() as conn:
        queue.put(conn, "wm", {}, now=0)
    newest = migrations.heads(engine)[1]
    assert migrations.upgrade(engine) == (newest, newest)
    with engine.connect() as conn:
        assert queue.depths(conn)[0].waiting == 1


def test_an_empty_database_is_refused_with_a_hint(engine: sa.Engine) -> None:
    with pytest.raises(ConfigError, match="schema none, this version needs") as refused:
        migrations.check(engine)
    assert refused.value.hint == "Run: wmsd migrate"


def test_a_migrated_database_is_accepted_and_so_is_a_newer_one(engine: sa.Engine) -> None:
    migrations.upgrade(engine)
    migrations.check(engine)
    with engine.begin() as conn:
        conn.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    migrations.check(engine)


@pytest.mark.parametrize("kind", ["sqlite-file"])
def test_a_migration_that_fails_leaves_the_schema_as_it_was(engine: sa.Engine) -> None:
    with engine.begin() as conn:
        conn.execute(sa.text("CREATE TABLE wm_jobs (id INTEGER)"))
    with pytest.raises(sa.exc.OperationalError, match="wm_jobs already exists"):
        migrations.upgrade(engine)
    assert sa.inspect(engine).get_table_names() == ["wm_jobs"]
