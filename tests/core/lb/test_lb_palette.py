"""The colours of states can be told from their ground, and what is written on them can be read, by day and by night."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import lb
from wms.jobstatus import JobState

STYLE = (Path(lb.__file__).parent / "pages/templates/style.css.html").read_text()
DAY, NIGHT = (dict(re.findall(r"--(\w+): (#[0-9a-f]+)", block))
              for block in re.split(r"@media \(prefers-color-scheme: dark\)", STYLE)[:2])
STATES = [*(state.value for state in JobState), "Failed"]
READABLE, VISIBLE = 4.5, 3.0  # WCAG 2.2, 1.4.3 and 1.4.11


def luminance(colour: str) -> float:
    """Of `#rgb` or `#rrggbb`, as WCAG defines it."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[place:place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [DAY, NIGHT], ids=["day", "night"])
@pytest.mark.parametrize("state", STATES)
def test_a_state_can_be_read_and_seen(scheme: dict[str, str], state: str) -> None:
    assert contrast(scheme[state], scheme["on"]) >= READABLE
    assert contrast(scheme[state], scheme["card"]) >= VISIBLE


@pytest.mark.parametrize("scheme", [DAY, NIGHT], ids=["day", "night"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_text_can_be_read(scheme: dict[str, str], text: str, ground: str) -> None:
    assert contrast(scheme[text], scheme[ground]) >= READABLE
