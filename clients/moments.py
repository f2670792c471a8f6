"""Times as people type them: `hh:mm` from now, or `[MM:DD:]hh:mm[:[CC]YY]` in local time."""

from __future__ import annotations

import re
import time

from clients.errors import ArgumentOutOfLimit, ArgumentWrong

_SPAN = re.compile(r"(\d{1,3}):([0-5]?\d)")
_MOMENT = re.compile(r"(?:(\d{1,2}):(\d{1,2}):)?(\d{1,2}):(\d{2})(?::(\d{2}|\d{4}))?")
FORM = "[MM:DD:]hh:mm[:[CC]YY]"


def after(text: str, now: float) -> int:
    """Epoch seconds, on the minute, of `hh:mm` from now; at least a minute."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ArgumentWrong(f"not a duration: {text!r}", hint="hh:mm")
    seconds = int(found[1]) * 3600 + int(found[2]) * 60
    if seconds == 0:
        raise ArgumentOutOfLimit(f"the time value is out of limit (--valid {text})", hint="At least 00:01.")
    return int(now + seconds) // 60 * 60


def moment(text: str, now: float) -> int:
    """Epoch seconds of a date in local time; what is left out is that of today."""
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ArgumentWrong(f"not a time: {text!r}", hint=FORM)
    today = time.localtime(now)
    month, day = int(found[1] or today.tm_mon), int(found[2] or today.tm_mday)
    year = int(found[5] or today.tm_year)
    year += 2000 if year < 100 else 0
    wanted = (year, month, day, int(found[3]), int(found[4]))
    try:
        epoch = time.mktime((*wanted, 0, 0, 0, -1))
    except (OverflowError, ValueError):
        epoch = -1.0
    if epoch < 0 or time.localtime(epoch)[:5] != wanted:
        raise ArgumentOutOfLimit(f"the time value is out of limit ({text})", hint=FORM)
    return int(epoch)


def deadline(text: str, now: float) -> int:
    """As `moment`, but in the future."""
    epoch = moment(text, now)
    if epoch <= now:
        raise ArgumentOutOfLimit(f"the time value is out of limit ({text}): it is past", hint=FORM)
    return epoch
