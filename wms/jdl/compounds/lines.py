"""Lines of HTCondor's text files, with comments taken out and continued lines joined."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wms.errors import JdlError


class Line(NamedTuple):
    """A line that says something; `where` is `file:row`, the row from 1 on which it begins."""

    text: str
    where: str


def lines(text: str, file: str, continued: str) -> Iterator[Line]:
    """The lines of a file; one that ends with `continued` goes on in the next."""
    joined, begun = "", 0
    for row, raw in enumerate(text.splitlines(), 1):
        stripped = raw.strip()
        if not joined and (not stripped or stripped.startswith("#")):
            continue
        begun = begun or row
        if stripped.endswith(continued):
            joined += stripped.removesuffix(continued) + " "
            continue
        yield Line(joined + stripped, f"{file}:{begun}")
        joined, begun = "", 0
    if joined.strip():
        yield Line(joined.strip(), f"{file}:{begun}")


def broken(line: Line, message: str) -> JdlError:
    file, _, row = line.where.rpartition(":")
    text = f"{line.where}: {message}"
    return JdlError(text, file=file, row=int(row), problems=[
        {"file": file, "row": int(row), "column": 1, "message": text}])
