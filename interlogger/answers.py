"""What a server's answer to a batch means for the files its events came from. Pure: windows in, decisions out.

Three outcomes for an event: taken (also as a duplicate), refused for good, or to be sent again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wms.operations.logging import Logged, RefusedLine
from wms.spool_format import Window


class Aside(NamedTuple):
    """Something to keep where a person finds it, with the reason."""

    text: bytes
    reason: str


class Settled(NamedTuple):
    """What a job's part of a batch comes to: the file is settled up to `offset`; `stuck` says why not to its end."""

    offset: int
    taken: int
    aside: tuple[Aside, ...]
    stuck: str = ""


DAMAGED = "damaged on disk"


def settled(part: Window, start: int, refused: Mapping[int, RefusedLine]) -> Settled:
    """Decide about the lines of `part`, which began at `start` of its file; `refused` is by their index from 0."""
    aside = [(end, Aside(text, DAMAGED)) for text, end in part.damaged]
    stop, taken, stuck = part.end, 0, ""
    for index, line in enumerate(part.lines):
        refusal = refused.get(index)
        if refusal is None:
            taken += 1
        elif refusal.permanent:
            aside.append((line.end, Aside(line.text, _reason(refusal))))
        else:
            stop = max([start, *(end for end in _ends(part) if end < line.end)])
            stuck = _reason(refusal)
            break
    kept = tuple(what for end, what in sorted(aside, key=lambda item: item[0]) if end <= stop)
    return Settled(stop, taken, kept, stuck)


def _ends(part: Window) -> list[int]:
    return [line.end for line in part.lines] + [end for _text, end in part.damaged]


def _reason(refusal: RefusedLine) -> str:
    return f"{refusal.code}: {refusal.reason}"


def shared(answer: Logged, counts: Sequence[int]) -> list[dict[int, RefusedLine]]:
    """The refusals of a batch, split to its parts of `counts` lines each; by index within the part."""
    found: list[dict[int, RefusedLine]] = [{} for _ in counts]
    for refusal in answer.refused:
        index = refusal.line - 1
        for part, count in enumerate(counts):
            if 0 <= index < count:
                found[part][index] = refusal
                break
            index -= count
    return found


def limited(part: Window, most: int) -> Window:
    """The first `most` lines of a window, and what is damaged among them."""
    if len(part.lines) <= most:
        return part
    end = part.lines[most - 1].end
    return Window(part.lines[:most], [item for item in part.damaged if item[1] <= end], end)
