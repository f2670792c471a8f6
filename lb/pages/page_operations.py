"""What Logging & Bookkeeping shows to a browser, as handlers: the page of a job and its live news; lists and the
service itself are in lb.pages.page_lists and lb.pages.page_about.

Pages are made in lb.pages.web and its companions, rows read in lb.query and its; who may see a job is asked at the
gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from lb import children
from lb.access.denials import Gate
from lb.access.rights import View
from lb.access.views import shown
from lb.figures.figures_operations import Figures
from lb.pages import live, page_query, pulse, web, web_job
from lb.pages.page_about import ABOUT, About
from lb.pages.page_lists import Lists, asked_state
from lb.queries.flags import read_flags
from lb.query import Found
from lb.waiting import Waiters
from wms.errors import WmsError
from wms.event import Event
from wms.httpd import Call, Handler, Page
from wms.service import Kit
from wms.streaming import StreamReply

PAGE_CHILDREN = 50
_WITH_CHILDREN = frozenset({"children", "childstat"})


class Book(Protocol):
    """What pages need of the handlers of queries."""

    @property
    def kit(self) -> Kit: ...

    @property
    def waiters(self) -> Waiters: ...

    @property
    def gate(self) -> Gate: ...

    async def readable(self, call: Call) -> Found: ...

    async def history(self, call: Call) -> tuple[Found, list[Event]]: ...

    async def settled(self) -> None: ...


def page_handlers(book: Book, figures: Figures) -> dict[str, Handler]:
    """The operations of this topic by name."""
    lists, watch = Lists(book.kit, book.gate), live.Live(book.kit, book.waiters)
    pages = Pages(book, lists, About(figures))

    async def news(call: Call) -> StreamReply:
        found = await book.readable(call)
        status = found.status
        job = live.Watched(found.unique, status.children_num if status.jobtype.composite else 0)
        return StreamReply(watch.stream(job), live.CONTENT_TYPE)

    return {"lb.page": _shown(pages.page), "lb.home": _shown(pages.home), "lb.live": news,
            **dict.fromkeys(("lb.rss", "lb.atom"), _shown(lists.feed)),
            **dict.fromkeys(("lb.rss_query", "lb.atom_query"), _shown(lists.query_feed))}


def _shown(handler: Callable[[Call], Awaitable[Page]]) -> Handler:
    """A refusal is a page too, in the form that was asked for."""
    async def handle(call: Call) -> Page:
        try:
            return await handler(call)
        except WmsError as error:
            return web.refusal(web.form(call.query, call.accept), error, call.params.get("unique", "Not possible"))

    return handle


@dataclass(frozen=True, slots=True)
class Pages:
    """The handlers and what they need."""

    book: Book
    lists: Lists
    about: About

    async def home(self, call: Call) -> Page:
        """The service itself, the answer of a query, or the caller's jobs."""
        if any(name in call.query for name in ABOUT):
            return await self.about.page(call)
        _ = call.user
        await self.book.settled()
        return await (self.lists.query(call) if call.query.get("query") else self.lists.own(call))

    async def page(self, call: Call) -> Page:
        """The identifier of a job as a URL."""
        form, flags = web.form(call.query, call.accept), read_flags([call.query.get("flags", "")])
        found, events = await self.book.history(call)
        if "anonymized" in flags:
            found = found._replace(status=shown(found.status, View.ANONYMOUS, self.book.gate.salt))
        view = web_job.View(found, events)
        if found.status.jobtype.composite:
            view = await self._family(call, view, form, flags)
        return web_job.job_page(form, view, flags, self.book.kit.now())

    async def _family(self, call: Call, view: web_job.View, form: web.Form, flags: frozenset[str]) -> web_job.View:
        """With the histogram of the children, and those children that are asked for."""
        read, job = self.book.kit.database.read, view.found
        counted = await (read(pulse.histogram, job.unique, job.status.children_num) if form == "html"
                         else read(children.histogram, job.unique, "childhist_thorough" in flags))
        if form != "html" and not flags & _WITH_CHILDREN:
            return view._replace(histogram=counted)
        state, cursor = asked_state(call.query), call.query.get("cursor", "")
        limit = PAGE_CHILDREN if form == "html" else self.book.kit.settings.lb.max_jobs
        page = await read(page_query.children, job.unique, limit=limit, state=state, cursor=cursor)
        visible = page._replace(jobs=self.lists.seen(call.user, page.jobs))
        return view._replace(histogram=counted, children=visible, chosen=state.value if state else "")
