"""Deployments for end-to-end tests. Nothing is skipped: a missing program fails the test that needs it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import Deployment
from testbed_scripts import script

from tests.ports import free_ports


@pytest.fixture
def workplace() -> Iterator[Path]:
    """A short path (unix sockets!) that other accounts may search."""
    path = Path(tempfile.mkdtemp(prefix="wms-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Certificates, configuration and schema, made once."""
    made = Deployment(tmp_path_factory.mktemp("pattern") / "wms")
    made.migrate()
    return made


@pytest.fixture
def deployment(workplace: Path, pattern: Deployment) -> Iterator[Deployment]:
    """A service that is ready to be started; nothing of it runs yet, nothing will afterwards."""
    with pattern.copy(workplace / "wms") as made:
        yield made


@pytest.fixture
def start(workplace: Path) -> Iterator[Callable[..., dict[str, str]]]:
    """`start("postgres", PG_PORT="4711")` runs `tests/testbed/postgres.sh up`; stopped at the end."""
    running: list[tuple[str, dict[str, str]]] = []

    def up(name: str, **environment: str) -> dict[str, str]:
        running.append((name, environment))
        return script(name, "up", workplace / name, environment)

    yield up
    for name, environment in reversed(running):
        script(name, "down", workplace / name, environment)


@pytest.fixture
def postgresql(start: Callable[..., dict[str, str]]) -> str:
    """The URL of a private, empty PostgreSQL database."""
    return start("postgres", PG_PORT=str(free_ports(1)[0]), PG_FSYNC="off")["PG_URL"]
