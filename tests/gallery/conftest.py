"""One service for the whole gallery."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.gallery.house import House


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with TemporaryDirectory(prefix="wms-") as path:
        made = House(Path(path) / "wms")
        with made.open():
            yield made
