"""Notices as a stream to who asks for them: server-sent events, or JSON line by line.

What was sent stays stored until it is acknowledged, so a listener that lost its connection gets it again, with the
same ids. Between the pieces nothing is held but the place in the stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

from lb.notices import notification_store
from lb.notices.board import Board
from lb.notices.notifications import STREAM, Notice
from wms.service import Kit

PORTION = 100
BEAT_S = 15.0


class Form(NamedTuple):
    """How notices are written; a beat shows that the connection lives, `taken` that another listener has come."""

    content_type: str
    notice: Callable[[Notice], bytes]
    beat: bytes
    taken: bytes


EVENTS = Form("text/event-stream", lambda notice: b"id: %d\ndata: %b\n\n" % notice, b": \n\n",
              b"event: taken\ndata: {}\n\n")
LINES = Form("application/x-ndjson", lambda notice: b'{"id":%d,"notice":%b}\n' % notice, b"\n", b'{"taken":true}\n')


async def pieces(kit: Kit, board: Board, id: str, after: int, form: Form) -> AsyncGenerator[bytes, None]:
    """All notices of a registration after this one, as they come: until it ends, goes elsewhere, or is taken over."""
    with board.at(id) as nap:
        while not nap.ended:
            found = await kit.database.read(notification_store.portion, id, after, PORTION, kit.now())
            if found is None or found.registration.destination != STREAM:
                return
            for notice in found.notices:
                yield form.notice(notice)
                after = notice.id
            if not found.notices:
                yield form.beat
                await nap.sleep(min(BEAT_S, max(0.0, found.registration.ends - kit.now())))
        if not board.is_last(id, nap):
            yield form.taken
