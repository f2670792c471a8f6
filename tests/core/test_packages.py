"""What is installed: every folder of the code, also where it is not run from its source."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LISTED = configparser.ConfigParser(interpolation=None)
LISTED.read(ROOT / "setup.cfg")
PACKAGES = LISTED["options"]["packages"].split()


@pytest.mark.parametrize("top", sorted({name.partition(".")[0] for name in PACKAGES}))
def test_every_package_is_installed(top: str) -> None:
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / top).rglob("__init__.py")}
    assert found == {name for name in PACKAGES if name.partition(".")[0] == top}
