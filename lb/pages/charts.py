"""The geometry of drawings: shares of a bar, columns over time, marks of axes. Positions are percentages.

Pure: numbers in, numbers and short labels out. The markup is in the templates.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from math import ceil, floor, log10
from typing import NamedTuple

WHOLE = 100.0
NARROWEST = 0.4
DAY = 86_400
TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, DAY, 2 * DAY,
              7 * DAY, 14 * DAY, 28 * DAY, 91 * DAY, 182 * DAY, 364 * DAY, 3640 * DAY)
_SECOND_FORMAT, _MINUTE_FORMAT, _DAY_FORMAT = "%H:%M:%S", "%H:%M", "%-d %b"


class Part(NamedTuple):
    """A share of a bar: its name, how many it stands for, and where it lies."""

    name: str
    number: int
    x: float
    width: float


class Mark(NamedTuple):
    """A place on an axis with its label."""

    x: float
    label: str


class Column(NamedTuple):
    """What happened from `begin` to `end` (epoch s), as a column that stands on the bottom."""

    begin: float
    end: float
    value: float
    x: float
    width: float
    y: float
    height: float


class Whisker(NamedTuple):
    """A mean with its dispersion around it, on a horizontal axis; all in percent."""

    x: float
    low: float
    high: float


def shares(sizes: Sequence[float], least: float = NARROWEST) -> list[tuple[float, float]]:
    """(x, width) of each size in proportion, side by side over the whole; none narrower than `least`."""
    total = sum(sizes) or 1.0
    least = min(least, WHOLE / max(1, len(sizes)))
    room = WHOLE - least * len(sizes)
    widths = [least + room * (size / total) for size in sizes]
    starts = accumulate(widths, initial=0.0)
    return [(round(x, 3), round(width, 3)) for x, width in zip(starts, widths, strict=False)]


def stack(counts: Mapping[str, int], names: Iterable[str]) -> list[Part]:
    """The bar of a histogram, in the order of `names`; names that count nothing are left out."""
    there = [(name, counts[name]) for name in names if counts.get(name)]
    placed = shares([count for _name, count in there])
    return [Part(name, count, *at) for (name, count), at in zip(there, placed, strict=True)]


def moments(begin: float, end: float, most: int = 8) -> list[tuple[float, str]]:
    """At most `most` round times (epoch s) between two, with labels as short as their distance allows."""
    step = _time_step((end - begin) / most)
    first = ceil(begin / step)
    times = [step * index for index in range(first, floor(end / step) + 1)][:most]
    form = _DAY_FORMAT if step >= DAY else _MINUTE_FORMAT if step >= 60 else _SECOND_FORMAT
    return [(float(at), f"{datetime.fromtimestamp(at, UTC):{form}}") for at in times]


def time_marks(begin: float, end: float, most: int = 8) -> list[Mark]:
    """The same as marks of an axis from `begin` to `end`."""
    length = (end - begin) or 1.0
    return [Mark(round(WHOLE * (at - begin) / length, 3), label) for at, label in moments(begin, end, most)]


def _time_step(least: float) -> int:
    return TIME_STEPS[min(bisect_left(TIME_STEPS, least), len(TIME_STEPS) - 1)]


def roof(value: float) -> float:
    """The top of an axis for values up to `value`: 1, 2 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9)))


def time_roof(seconds: float) -> float:
    """The same for durations: a round number of seconds, minutes, hours or days."""
    return float(_time_step(seconds)) if 1 < seconds <= TIME_STEPS[-1] else roof(seconds)


def columns(slots: Iterable[tuple[float, float, float]], begin: float, end: float, top: float) -> list[Column]:
    """Columns of (begin, end, value) on an axis of time; values of 0 have none, `top` is as high as it goes."""
    length = (end - begin) or 1.0
    drawn = []
    for start, stop, value in slots:
        left, right = max(start, begin), min(stop, end)
        if value > 0 and right > left:
            height = round(min(WHOLE, max(1.0, WHOLE * value / top)), 2)
            drawn.append(Column(start, stop, value, round(WHOLE * (left - begin) / length, 3),
                                round(WHOLE * (right - left) / length, 3), round(WHOLE - height, 2), height))
    return drawn


def whisker(mean: float, dispersion: float, top: float) -> Whisker:
    """A mean and one dispersion to both sides, cut at the ends of the axis from 0 to `top`."""
    x, low, high = (round(WHOLE * min(top, max(0.0, value)) / top, 2)
                    for value in (mean, mean - dispersion, mean + dispersion))
    return Whisker(x, low, high)
