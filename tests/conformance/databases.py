"""The databases the service may live on, for suites that run against each: a plugin of fixtures.

`database` is one for each kind; `place` makes as many as a test wants on the same rows; `turns` is its reactor.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from database_places import KINDS, Place, Turns, fill

from tests.ports import free_port
from wms.database import Database, make_engine

SCRIPT = Path(__file__).parent.parent / "testbed" / "postgres.sh"
_numbers = count()


def _postgres(verb: str, directory: Path, port: int) -> str:
    environment = {**os.environ, "PG_PORT": str(port), "PG_FSYNC": "off"}
    done = subprocess.run([SCRIPT, verb, directory], env=environment, text=True, capture_output=True,
                          timeout=120, check=False)
    if done.returncode:
        pytest.fail(f"PostgreSQL is needed here: {done.stderr}")
    return dict(line.partition("=")[::2] for line in shlex.split(done.stdout)).get("PG_URL", "")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """URL of a server of this test session, on a free port of loopback."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="pg-") as path:
        os.chmod(path, 0o755)  # the server runs under an account of its own
        yield _postgres("up", Path(path), port)
        _postgres("down", Path(path), port)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """URL of a database of this test."""
    name, admin = f"test_{next(_numbers)}", make_engine(postgres_server)
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
        conn.execute(sa.text(f"CREATE DATABASE {name}"))
        yield sa.make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
        conn.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def empty_url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """URL of an empty database of this kind."""
    if kind == "postgresql":
        url: str = request.getfixturevalue("postgres_url")
        return url
    return f"sqlite:///{tmp_path}/wms.sqlite" if kind == "sqlite-file" else "sqlite://"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which kind of database; override with `@pytest.mark.parametrize("kind", SHARED)`."""
    found: str = request.param
    return found


@pytest.fixture
def place(kind: str, empty_url: str) -> Iterator[Place]:
    made = Place(kind, empty_url)
    if kind != "sqlite-memory":
        engine = make_engine(empty_url)
        fill(engine)
        engine.dispose()
    yield made
    made.close()


@pytest.fixture
def database(place: Place) -> Database:
    made = place.database()
    if place.kind == "sqlite-memory":
        fill(made.engine)
    return made


@pytest.fixture
def turns(place: Place) -> Turns:
    return place.turns
