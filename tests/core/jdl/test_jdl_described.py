"""The same text gives the very same description, unless it is long."""

from __future__ import annotations

import pytest

from wms.errors import JdlError
from wms.jdl.described import LONGEST, described


@pytest.mark.parametrize(("length", "same"), [(10, True), (LONGEST + 1, False)])
def test_a_text_is_read_once_unless_it_is_long(length: int, same: bool) -> None:
    text = f'Executable = "/bin/true"; Note = "{"x" * length}";'
    first = described(text)
    assert (described(text) is first) is same
    assert described(text) == first


def test_a_refusal_is_repeated() -> None:
    for _ in range(2):
        with pytest.raises(JdlError):
            described("Executable = ")
