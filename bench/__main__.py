"""`python -m bench [NAME ...]`: run benchmarks and keep their rows."""

from __future__ import annotations

import sys
from importlib import import_module

from bench.rows import keep, table

BENCHMARKS = ("cli", "handshakes", "authorised", "matching", "waiting", "supply", "replays", "lb_events",
              "renewals", "lb_intake", "lb_children", "lb_query", "compounds", "submissions", "jobs", "slurm",
              "polling")
"""Modules of this package with `run() -> list[Row]`, the quick ones first."""


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in BENCHMARKS]:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        rows = import_module(f"bench.{name}").run()
        keep(rows)
        print(table(rows), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
