"""A fresh bookkeeping daemon for each test; a timer left behind fails it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from book_builders import Book


@pytest.fixture
def book() -> Iterator[Book]:
    made = Book()
    yield made
    assert made.clock.getDelayedCalls() == []
    made.database.close()
