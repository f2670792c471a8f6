"""Markdown in the form all references have. Pure; what is told is in the other modules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "Generated from {source} by `make docs`; do not edit."


def page(title: str, source: str, *parts: str) -> str:
    """A whole page; `source` names the module with the table."""
    told = [f"# {title}", GENERATED.format(source=code(source)), *parts]
    return "\n\n".join(part.strip("\n") for part in told) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already, a bar or a line end in them is made harmless."""
    lines = [_line(head), _line(["---"] * len(head)), *(_line([_cell(text) for text in row]) for row in rows)]
    return "\n".join(lines) + "\n"


def code(value: object) -> str:
    """`value` as it is written; nothing for nothing."""
    return f"`{value}`" if str(value) else ""


def codes(values: Iterable[object]) -> str:
    return ", ".join(map(code, values))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
