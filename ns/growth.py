"""Where the bytes of a growing stream belong: repeated, new, or beyond a gap or a bound. Pure.

For streams of interactive jobs (kept from the beginning) and for files of perusal (the last bytes are kept).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Piece(NamedTuple):
    """Of bytes that arrived: `skip` are here already, the next `take` are to be written, then the sender goes on from
    `have`. `cut`: the bound is reached with this piece.
    """

    skip: int
    take: int
    have: int
    cut: bool = False


def piece(size: int, limit: int, offset: int, length: int) -> Piece:
    """For `length` bytes at `offset` of a stream that has `size` bytes here and may have `limit`.

    Bytes beyond a gap are not taken. Once a stream is larger than the limit (a note was added) what comes is
    let go: the sender is told that all is well.
    """
    if size > limit:
        return Piece(0, 0, offset + length)
    if offset > size or offset + length <= size:
        return Piece(0, 0, size)
    skip = size - offset
    take = min(length - skip, limit - size)
    return Piece(skip, take, offset + length, take < length - skip)


class Slice(NamedTuple):
    """A part of a file that is kept: `size` bytes from `start`."""

    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


class Spot(NamedTuple):
    """Where bytes go: `skip` of them are here already, the rest is added to the slice that begins at `start`."""

    skip: int
    start: int


def end(slices: Sequence[Slice]) -> int:
    """Where the sender goes on. Slices are in order, as everywhere here."""
    return slices[-1].end if slices else 0


def spot(slices: Sequence[Slice], largest: int, offset: int, length: int) -> Spot | None:
    """The place of `length` bytes at `offset`; None when they are here. A slice of `largest` bytes gets no more.

    A gap is accepted: a sender that is far behind leaves bytes out.
    """
    have = end(slices)
    if offset + length <= have:
        return None
    if offset <= have and slices and slices[-1].size < largest:
        return Spot(have - offset, slices[-1].start)
    return Spot(max(0, have - offset), max(offset, have))


def surplus(slices: Sequence[Slice], limit: int) -> int:
    """How many of the oldest slices go so that at most `limit` bytes are left; the last one stays."""
    total, gone = sum(one.size for one in slices), 0
    while total > limit and gone + 1 < len(slices):
        total -= slices[gone].size
        gone += 1
    return gone


def runs(slices: Sequence[Slice]) -> list[tuple[int, int]]:
    """[start, end) of what is here without a gap, in order."""
    found: list[tuple[int, int]] = []
    for one in slices:
        if found and found[-1][1] == one.start:
            found[-1] = (found[-1][0], one.end)
        else:
            found.append((one.start, one.end))
    return found
