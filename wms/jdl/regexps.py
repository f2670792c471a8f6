"""Regular expressions that cannot run away: the cost of a match is bounded before it starts.

Python's engine backtracks and has no step limit, so patterns whose cost is exponential are refused and
the cost of the others is estimated from above; the caller pays for it from its budget.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

MAX_PATTERN = 256
MAX_SUBJECT = 4096
OPTIONS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}

_PIECE = re.compile(
    r"(?P<escape>\\(?P<code>.))|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?P<kind>\?:|\?P?<\w+>)?)|(?P<close>\))"
    r"|(?P<repeat>[*+?]|\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\})(?P<lazy>[?+]?)|(?P<either>\|)|(?P<char>.)",
    re.DOTALL,
)


class Pattern(NamedTuple):
    """A compiled pattern with its price: `ways` fixed choices and `stars` choices as long as the subject."""

    compiled: re.Pattern[str]
    ways: int
    stars: int

    def cost(self, subject: str) -> int:
        """Upper estimate of the steps of a search."""
        return int(self.ways * (len(subject) + 1) ** (self.stars + 1))


@lru_cache(maxsize=1024)
def pattern(text: str, options: str = "") -> Pattern | None:
    """The pattern, or None when it is wrong, too long or too dear. Unknown options are ignored.

    Refused are back references, look-around, and repetition of a group that itself repeats or branches.
    """
    if len(text) > MAX_PATTERN:
        return None
    flags = re.RegexFlag(0)
    for letter in options.lower():
        flags |= OPTIONS.get(letter, re.RegexFlag(0))
    price = _price(text)
    if price is None:
        return None
    try:
        return Pattern(re.compile(text, flags), *price)
    except (re.error, OverflowError, RecursionError):
        return None


def _price(text: str) -> tuple[int, int] | None:
    """(ways, stars) of a pattern, None when it may be exponential."""
    ways, stars, varies, last = 1, 0, [False], False
    for match in _PIECE.finditer(text):
        if match["open"]:
            if match["kind"] is None and text[match.end():match.end() + 1] == "?":
                return None
            varies.append(False)
        elif match["close"] and len(varies) > 1:
            last = varies.pop()
            varies[-1] = varies[-1] or last
        elif match["repeat"]:
            if last:
                return None
            more_ways, more_stars = _repeat(match)
            ways, stars = ways * more_ways, stars + more_stars
            varies[-1] = last = not _fixed(match) or varies[-1]
        elif match["either"]:
            ways, varies[-1], last = ways + 1, True, False
        elif match["code"] and match["code"] in "123456789":
            return None
        else:
            last = False
    return ways, stars


def _fixed(match: re.Match[str]) -> bool:
    """`{n}` repeats, but has only one way to do it."""
    return match["repeat"][0] == "{" and not match["comma"]


def _repeat(match: re.Match[str]) -> tuple[int, int]:
    """(ways, stars) that one repetition adds."""
    if match["repeat"] == "?":
        return 2, 0
    if match["repeat"] in "*+" or (match["comma"] and not match["high"]):
        return 1, 1
    return max(1, int(match["high"] or match["low"] or 0)), 0
