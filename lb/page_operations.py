"""What Logging & Bookkeeping shows to a browser: pages, lists, feeds and live news, as handlers of operations.

Pages are made in lb.web and its companions, rows read in lb.page_query; who may see a job is asked at the gate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from lb import children, feeds, live, page_query, pulse, query, web, web_job, web_lists
from lb.denials import Gate
from lb.page_query import Family
from lb.query import Found, JobsPage
from lb.rights import View
from lb.views import shown
from lb.waiting import Waiters
from wms.errors import NotFound, NothingFound, Refused, WmsError
from wms.event import Event
from wms.httpd import Call, Handler, Page
from wms.identity import Identity
from wms.jobstatus import JobState
from wms.operations.pages import ROWS
from wms.service import Kit
from wms.streaming import StreamReply

PAGE_JOBS = 100
PAGE_CHILDREN = 50
_STATES = {state.value.lower(): state for state in JobState}
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

    async def settled(self) -> bool: ...


def page_handlers(book: Book) -> dict[str, Handler]:
    """The operations of this topic by name."""
    pages, watch = Pages(book), live.Live(book.kit, book.waiters)

    async def news(call: Call) -> StreamReply:
        found = await book.readable(call)
        status = found.status
        job = live.Watched(found.unique, status.children_num if status.jobtype.composite else 0)
        return StreamReply(watch.stream(job), live.CONTENT_TYPE)

    return {"lb.page": _shown(pages.page), "lb.home": _shown(pages.home), "lb.live": news,
            "lb.rss": _shown(pages.feed), "lb.atom": _shown(pages.feed)}


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

    async def page(self, call: Call) -> Page:
        """The identifier of a job as a URL."""
        form, flags = web.form(call.query, call.accept), _flags(call.query)
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
        state = _state(call.query)
        limit = PAGE_CHILDREN if form == "html" else self.book.kit.settings.lb.max_jobs
        page = await read(page_query.children, job.unique, limit=limit, state=state,
                          cursor=call.query.get("cursor", ""))
        return view._replace(histogram=counted, children=self._visible(call.user, page),
                             chosen=state.value if state else "")

    def _visible(self, user: Identity, page: JobsPage) -> JobsPage:
        """Without the jobs that the caller may not see, as the caller may see the others."""
        return page._replace(jobs=self._seen(user, page.jobs))

    def _seen(self, user: Identity, jobs: Sequence[Found]) -> list[Found]:
        gate = self.book.gate
        return [job._replace(status=status) for job in jobs if (status := gate.shown(user, job.status)) is not None]

    async def home(self, call: Call) -> Page:
        """The caller's jobs; of a state if one is asked for, otherwise by family."""
        user, form = call.user, web.form(call.query, call.accept)
        await self.book.settled()
        state = _state(call.query)
        limit = _limit(call.query, PAGE_JOBS if form != "text" else self.book.kit.settings.lb.max_jobs,
                       self.book.kit.settings.lb.max_jobs)
        cursor = call.query.get("cursor", "")
        families, following = await (
            self._families(user, limit, cursor) if state is None else self._alike(user, limit, state, cursor))
        nothing = None if families or cursor else _nothing(state)
        listing = web_lists.Listing(user.dn, families, following, state.value if state else "", nothing=nothing)
        return web_lists.list_page(form, listing, _flags(call.query))

    async def _families(self, user: Identity, limit: int, cursor: str) -> tuple[list[Family], str]:
        page = await self.book.kit.database.read(page_query.families, user.dn, limit=limit, cursor=cursor)
        return [Family(job, self._seen(user, family.children), family.histogram) for family in page.families
                for job in self._seen(user, [family.job])], page.cursor

    async def _alike(self, user: Identity, limit: int, state: JobState, cursor: str) -> tuple[list[Family], str]:
        page = await self.book.kit.database.read(query.user_jobs, user.dn, limit=limit, state=state, cursor=cursor)
        return [Family(job, (), {}) for job in self._seen(user, page.jobs)], page.cursor

    async def feed(self, call: Call) -> Page:
        """The caller's jobs of the last while in some states, as RSS or Atom."""
        kit, name = self.book.kit, call.params["feed"]
        if name not in feeds.FEEDS:
            raise NotFound(f"There is no feed '{name[:50]}'.", hint=f"One of {', '.join(feeds.FEEDS)}.")
        wanted, now = feeds.FEEDS[name], kit.now()
        found = await kit.database.read(page_query.feed, call.user.dn, wanted, now - kit.settings.lb.feed_s)
        entries = [feeds.entry(job.status) for job in self._seen(call.user, found)]
        host, port = kit.lb_address
        link = f"https://{host}:{port}{_PATHS[call.operation.name]}{name}"
        if call.operation.name == "lb.rss":
            return Page(feeds.rss(wanted.title, link, entries, now), feeds.RSS_TYPE)
        return Page(feeds.atom(wanted.title, link, entries, now), feeds.ATOM_TYPE)


_PATHS = {row.name: row.path.partition("{")[0] for row in ROWS}


def _flags(asked: Mapping[str, str]) -> frozenset[str]:
    return frozenset(asked.get("flags", "").replace("+", " ").lower().split())


def _state(asked: Mapping[str, str]) -> JobState | None:
    text = asked.get("state", "")
    if text and text.lower() not in _STATES:
        raise Refused(f"There is no state '{text[:50]}'.", hint=f"One of {', '.join(JobState)}.")
    return _STATES.get(text.lower())


def _limit(asked: Mapping[str, str], usual: int, most: int) -> int:
    text = asked.get("limit", "")
    if text and not (text.isascii() and text.isdecimal() and len(text) < 9):
        raise Refused(f"limit must be a number, not '{text[:50]}'.", parameter="limit")
    return max(1, min(most, int(text or usual)))


def _nothing(state: JobState | None) -> NothingFound:
    if state is not None:
        return NothingFound(f"None of your jobs is {state.value}.")
    return NothingFound("You have no jobs here.", hint="Jobs appear as soon as they are submitted.")
