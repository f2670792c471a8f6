"""The benches of CE backends: a test that wants one is run on each that can what it needs.

What is started for a session, is started by one worker: all tests of such a component are one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import BENCHES
from benches_arc import all_down
from ce_bench import Bench

from tests.components import start, workplace
from wms.ce import Backend

__all__ = ["start", "workplace"]


GROUPS = {"test_arc": "arc", "test_slurm": "slurm", "arc": "arc", "sge": "sge", "slurm": "slurm"}
"""The group of tests by the name of their module, or of their bench."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*can): what the CE of this test must be able to do")
    config.addinivalue_line("markers", "last: it waits for something that takes its time, while others run")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of each group of tests on one component: that they are one."""
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)
    for item in items:
        if group := _group(item):
            item.add_marker(pytest.mark.xdist_group(group))


def _group(item: pytest.Item) -> str:
    call = getattr(item, "callspec", None)
    bench = str(call.params.get("bench")) if call else ""
    return GROUPS.get(item.path.stem) or GROUPS.get(bench, "")


@pytest.fixture(scope="session")
def of_arc(request: pytest.FixtureRequest) -> set[pytest.Item]:
    """Tests of A-REX that are still to come."""
    return {item for item in request.session.items if _group(item) == "arc"}


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
