"""The row that every benchmark yields, and how rows are kept and shown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

RESULTS = Path(__file__).with_name("results.json")


class Row(TypedDict):
    """`ratio` is value / baseline, both in `unit`, measured in the same run at size `n`."""

    name: str
    n: int
    value: float
    unit: str
    baseline: float
    ratio: float


def row(name: str, n: int, value: float, unit: str, baseline: float) -> Row:
    return Row(name=name, n=n, value=round(value, 3), unit=unit, baseline=round(baseline, 3),
               ratio=round(value / baseline, 4) if baseline else 0.0)


def keep(rows: Iterable[Row]) -> None:
    """Replace the rows of the same name and n in the results."""
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() else []
    merged = {(one["name"], one["n"]): one for one in [*known, *rows]}
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(merged[key]) for key in sorted(merged)) + "\n]\n")


def table(rows: Iterable[Row]) -> str:
    lines = [f"{'name':<42}{'n':>9}{'value':>12} {'unit':<12}{'baseline':>12}{'ratio':>9}"]
    lines += [f"{r['name']:<42}{r['n']:>9}{r['value']:>12.1f} {r['unit']:<12}{r['baseline']:>12.1f}{r['ratio']:>9.3f}"
              for r in rows]
    return "\n".join(lines)
