"""What Logging & Bookkeeping shows to a browser: the pages of jobs, as handlers of remote operations.

Pages are made in lb.web and its companions, rows read in lb.query; who may see a job is asked of the bookkeeping.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from lb import web
from lb.query import Found
from wms.errors import WmsError
from wms.event import Event
from wms.httpd import Call, Handler, Page
from wms.service import Kit


class Book(Protocol):
    """What pages need of the handlers of queries."""

    @property
    def kit(self) -> Kit: ...

    async def readable(self, call: Call) -> Found: ...

    async def history(self, call: Call) -> tuple[Found, list[Event]]: ...

    async def settled(self) -> bool: ...


def page_handlers(book: Book) -> dict[str, Handler]:
    """The operations of this topic by name."""
    pages = Pages(book)
    return {"lb.page": pages.page}


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers and what they need."""

    book: Book

    async def page(self, call: Call) -> Page:
        """The identifier of a job as a URL; a refusal is a page too."""
        form = web.form(call.query, call.accept)
        kit = self.book.kit
        try:
            found, events = await self.book.history(call)
        except WmsError as error:
            return web.refusal(form, error, call.params["unique"])
        history = "history" in call.query.get("flags", "").replace("+", " ").split()
        return web.job_page(form, found, events, kit.now(), history=history)
