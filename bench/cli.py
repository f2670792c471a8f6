"""How long `job-status --help` takes, beside the bare interpreter and beside `import click` alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from bench.rows import Row, row

RUNS = 15


def milliseconds(command: list[str]) -> float:
    """Median wall time of a command."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - began)
    return 1000 * median(times)


def run() -> list[Row]:
    beside = Path(sys.executable).with_name("job-status")
    command = str(beside) if beside.exists() else shutil.which("job-status") or "job-status"
    ours = milliseconds([command, "--help"])
    return [row("job-status --help", 1, ours, "ms", milliseconds([sys.executable, "-c", "pass"])),
            row("job-status --help (click)", 1, ours, "ms", milliseconds([sys.executable, "-c", "import click"]))]
