"""Sets of places on the board as ints, a bit for each place. Nothing of what stands there."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import compress

_BITS = bytes.maketrans(b"01", b"\0\1")


def places(mask: int) -> list[int]:
    """The places in a set, ascending."""
    bits = f"{mask:b}".encode().translate(_BITS)[::-1]
    return list(compress(range(len(bits)), bits))


def mask_of(members: Iterable[int]) -> int:
    """The set of these places."""
    digits = bytearray()
    for place in members:
        if place >> 3 >= len(digits):
            digits.extend(bytes((place >> 3) + 1 - len(digits)))
        digits[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(digits, "little")
