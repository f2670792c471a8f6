"""Finds the builders of jobs that the tests of the core use."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "core" / "lb"))
