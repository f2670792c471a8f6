from __future__ import annotations

import sys
from pathlib import Path

ROOT = str(Path(__file__).parent.parent.parent.parent)
if ROOT not in sys.path:  # `docs` is not installed with the packages
    sys.path.insert(0, ROOT)
