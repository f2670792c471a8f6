"""One service for the whole gallery."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gallery.house import House


@pytest.fixture(scope="session")
def house() -> Iterator[House]:
    path = Path(tempfile.mkdtemp(prefix="wms-"))
    path.chmod(0o755)
    made = House(path / "wms")
    with made.open():
        yield made
    shutil.rmtree(path)
