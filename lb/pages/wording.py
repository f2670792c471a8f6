"""Times, numbers and events as people read them: words only, no markup.

Pure. The exact values are in the text and JSON forms.
"""

from __future__ import annotations

from datetime import UTC, datetime

from wms.event import Event

FAILED = "Failed"
"""What a job is called that is Done without success."""
LONGEST_VALUE = 200
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))


def clock(seconds: float) -> str:
    """Epoch seconds as a date and time of day, UTC; nothing for 0."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds else ""


def iso(seconds: float) -> str:
    """The same as RFC 3339 wants it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def duration(seconds: float) -> str:
    """Seconds for people: `12.3 s`, `4 min 05 s`, `2 h 03 min`, `1 d 04 h`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 24 else f"{hours // 24} d {hours % 24:02d} h"


def number(value: float) -> str:
    """A count or a rate in few characters: `0.042`, `7`, `9,999`, `12.5k`, `1.2M`."""
    if abs(value) < 9_999.5:
        return f"{value:,.0f}" if value == int(value) or abs(value) >= 100 else f"{value:.2g}"
    size, unit = next((size, unit) for size, unit in _UNITS if abs(value) >= 0.9995 * size)
    return f"{value / size:.3g}{unit}"


def what(event: Event) -> str:
    """The fields of an event in a line."""
    return ", ".join(f"{name}: {short(str(value))}" for name, value in event.fields.items())


def short(value: str, most: int = LONGEST_VALUE) -> str:
    """At most so many characters, with a sign that more was there."""
    return value if len(value) <= most else value[:most] + " …"
