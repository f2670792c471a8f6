"""The benches of CE backends: a test that wants one is run on each that can what it needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from benches import BENCHES
from ce_bench import Bench

from tests.components import start, workplace
from wms.ce import Backend

__all__ = ["start", "workplace"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(*can): what the CE of this test must be able to do")
    config.addinivalue_line("markers", "last: it waits for something that takes its time, while others run")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


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
