"""Long answers: JSON lists and lines that grow while they are read, stretch by stretch, in flat memory.

Not what is in them: that comes from searches (lb.queries.search, lb.queries.search_events) and is told by
lb.queries.query_operations.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from lb.queries.search import H, P, Step
from wms.streaming import StreamReply

NDJSON = "application/x-ndjson"
JSON = "application/json"
_encode = msgspec.json.Encoder().encode


class Told(NamedTuple):
    """A stretch of an answer: records as JSON, and the cursor of what follows them."""

    texts: list[bytes]
    cursor: str
    hidden: bool


Answer = AsyncGenerator[Told, None]


async def told(steps: AsyncGenerator[Step[H, P], None], texts: Callable[[list[H]], Awaitable[list[bytes]]],
               cursor: Callable[[P | None], str]) -> Answer:
    """Steps of a search as an answer."""
    try:
        async for found in steps:
            yield Told(await texts(found.hits) if found.hits else [], cursor(found.place), found.hidden)
    finally:
        await steps.aclose()


async def whole(answer: Answer) -> Told:
    """All at once."""
    texts: list[bytes] = []
    cursor, hidden = "", False
    async for stretch in answer:
        texts += stretch.texts
        cursor, hidden = stretch.cursor, hidden or stretch.hidden
    return Told(texts, cursor, hidden)


async def begun(answer: Answer) -> tuple[Told, Answer]:
    """All up to the first stretch with something in it, and the whole answer from there."""
    hidden = False
    async for stretch in answer:
        hidden = hidden or stretch.hidden
        if stretch.texts or not stretch.cursor:
            first = stretch._replace(hidden=hidden)
            return first, _again(first, answer)
    return Told([], "", hidden), answer


async def _again(first: Told, rest: Answer) -> Answer:
    try:
        yield first
        async for stretch in rest:
            yield stretch
    finally:
        await rest.aclose()


def lines(answer: Answer) -> StreamReply:
    """A record a line; the last line is `{"cursor": ...}`, "" if that was all."""
    return StreamReply(_lines(answer), NDJSON)


async def _lines(answer: Answer) -> AsyncGenerator[bytes, None]:
    cursor = ""
    try:
        async for stretch in answer:
            cursor = stretch.cursor
            if stretch.texts:
                yield b"\n".join([*stretch.texts, b""])
    finally:
        await answer.aclose()
    yield _encode({"cursor": cursor}) + b"\n"


def json_list(name: str, answer: Answer) -> StreamReply:
    """`{name: [...], "cursor": ...}`."""
    return StreamReply(_json_list(name, answer), JSON)


async def _json_list(name: str, answer: Answer) -> AsyncGenerator[bytes, None]:
    cursor, between = "", b""
    yield b"{" + _encode(name) + b":["
    try:
        async for stretch in answer:
            cursor = stretch.cursor
            if stretch.texts:
                yield between + b",".join(stretch.texts)
                between = b","
    finally:
        await answer.aclose()
    yield b'],"cursor":' + _encode(cursor) + b"}"


def raw(texts: list[bytes]) -> tuple[Any, ...]:
    """Records that are JSON already, for a list of a reply."""
    return tuple(map(msgspec.Raw, texts))
