"""Bad credentials and bad requests at the door of a real service: refused by code, logged, and without a trace."""

import sys
from pathlib import Path

_TESTS = Path(__file__).parent.parent
for _directory in (_TESTS / "e2e", _TESTS / "core" / "credentials"):
    if str(_directory) not in sys.path:
        sys.path.append(str(_directory))
