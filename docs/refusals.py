"""docs/reference/refusals.md: what is tried at the door of a real service, and how it is refused."""

from __future__ import annotations

from docs.markdown import code, page, table
from tests.gallery.rooms import CASES, ROOMS

INTRODUCTION = """
Each of these {number} bad credentials and requests is shown to a real service by the tests (`tests/gallery`): it is
refused with this status and code, the log says so once with whom and why, nothing in the database or the state
directory has changed afterwards, and the next good request is answered.
"""


def text() -> str:
    rooms = []
    for room, cases in ROOMS.items():
        rows = [(case.name, str(case.status or ""), code(case.code), case.below) for case in cases]
        rooms += [f"## {room}", table(("what is tried", "status", "code", ""), rows)]
    return page("Refusals", "tests.gallery", INTRODUCTION.format(number=len(CASES)), *rooms)
