"""The benches of CE backends: a test that wants one is run on each that can what it needs.

What is started for a session, is started by one worker: all tests of such a component go to it (tests.scheduling).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import BENCHES
from benches_arc import all_down
from ce_bench import Bench

from tests.components import start, workplace
from tests.scheduling import component
from wms.ce import Backend

__all__ = ["start", "workplace"]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(scope="session")
def of_arc(request: pytest.FixtureRequest) -> set[pytest.Item]:
    """Tests of A-REX that are still to come."""
    return {item for item in request.session.items if component(item.nodeid) == "arc"}


@pytest.fixture(autouse=True)
def last_of_arc(request: pytest.FixtureRequest, of_arc: set[pytest.Item]) -> Iterator[None]:
    """A-REX asks its batch system again and again: it is stopped after its last test, not at the end of all."""
    yield
    if request.node in of_arc:
        of_arc.remove(request.node)
        if not of_arc:
            all_down()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "bench" in metafunc.fixturenames and metafunc.module.__name__.startswith("test_backend"):
        needed = {need for mark in metafunc.definition.iter_markers("needs") for need in mark.args}
        able = [name for name, kind in sorted(BENCHES.items()) if needed <= kind.can]
        metafunc.parametrize("bench", able, indirect=True)


@pytest.fixture
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    made = BENCHES[request.param].open(request, tmp_path)
    yield made
    made.close()


@pytest.fixture
def ce(bench: Bench) -> Backend:
    return bench.backend()
