"""Lists of jobs as handlers: a user's own jobs, the answers of queries, feeds.

Pages are made in lb.pages.web_lists and lb.pages.feeds, rows read in lb.pages.page_query and lb.queries.search;
who may see is asked at the gate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, unquote_plus

from lb import query
from lb.access.denials import Gate
from lb.access.rights import Action
from lb.pages import feeds, page_query, web, web_lists
from lb.pages.page_query import Family
from lb.queries import condition_texts, search
from lb.queries.condition_values import Asked
from lb.queries.conditions import Conditions
from lb.queries.flags import read_flags
from lb.queries.search import Search, Sight, taken
from lb.queries.search_plan import plan, require_index
from lb.query import Found
from wms.errors import NotFound, NothingFound, Refused
from wms.httpd import Call, Page
from wms.identity import Identity
from wms.jobstatus import JobState
from wms.operations.pages import ROWS
from wms.service import Kit

PAGE_JOBS = 100
LONGEST_S = 5.0
"""A query that takes longer gives what it has found, and where to go on."""
_STATES = {state.value.lower(): state for state in JobState}
_PATHS = {row.name: row.path.partition("{")[0] for row in ROWS}
_OURS = frozenset({"text", "json", "flags", "cursor", "limit"})


class Written(NamedTuple):
    """Conditions in a URL: encoded part by part if written by hand; a form encodes them as a whole."""

    text: str
    encoded: bool

    @property
    def shown(self) -> str:
        return unquote_plus(self.text) if self.encoded else self.text

    @property
    def url(self) -> str:
        return self.text if self.encoded else quote(self.text)


@dataclass(frozen=True, slots=True)
class Lists:
    """The handlers and what they need."""

    kit: Kit
    gate: Gate

    async def own(self, call: Call) -> Page:
        """The caller's jobs; of a state if one is asked for, otherwise by family."""
        user, form, state = call.user, web.form(call.query, call.accept), asked_state(call.query)
        most = self.kit.settings.lb.max_jobs
        limit, cursor = _limit(call.query, PAGE_JOBS if form != "text" else most, most), call.query.get("cursor", "")
        families, following = await (
            self._families(user, limit, cursor) if state is None else self._alike(user, limit, state, cursor))
        nothing = None if families or cursor or following else _nothing(state)
        listing = web_lists.Listing(user.dn, families, following, state.value if state else "", nothing=nothing)
        return web_lists.list_page(form, listing, read_flags([call.query.get("flags", "")]))

    async def _families(self, user: Identity, limit: int, cursor: str) -> tuple[list[Family], str]:
        page = await self.kit.database.read(page_query.families, user.dn, limit=limit, cursor=cursor)
        return [Family(job, self.seen(user, family.children), family.histogram) for family in page.families
                for job in self.seen(user, [family.job])], page.cursor

    async def _alike(self, user: Identity, limit: int, state: JobState, cursor: str) -> tuple[list[Family], str]:
        page = await self.kit.database.read(query.user_jobs, user.dn, limit=limit, state=state, cursor=cursor)
        return [Family(job, (), {}) for job in self.seen(user, page.jobs)], page.cursor

    def seen(self, user: Identity, jobs: Sequence[Found]) -> list[Found]:
        """Those of the jobs that the caller may see, as the caller may see them."""
        return [job._replace(status=status) for job in jobs
                if (status := self.gate.shown(user, job.status)) is not None]

    async def query(self, call: Call) -> Page:
        """The jobs that satisfy the conditions of the URL."""
        form, asked = web.form(call.query, call.accept), written(call.question)
        found, cursor = await self._search(call, asked, _limit(call.query, PAGE_JOBS, self.kit.settings.lb.max_jobs))
        empty = not (found or cursor or "cursor" in call.query)
        listing = web_lists.Listing(
            call.user.dn, [Family(job, (), {}) for job in found], cursor, query=asked.shown,
            nothing=NothingFound("No job that you may see satisfies the query.") if empty else None)
        return web_lists.list_page(form, listing, read_flags([call.query.get("flags", "")]))

    async def _search(self, call: Call, asked: Written, limit: int) -> tuple[list[Found], str]:
        """The jobs, as far as the caller may see them, and the cursor of the next."""
        user, began = call.user, self.kit.now()
        conditions = condition_texts.from_url(asked.text, Asked(user.dn, began), encoded=asked.encoded)
        self._require_index(user, conditions)
        way = plan(conditions)
        question = Search(self.kit.database, way, Sight(user, self.gate.policy, self.gate.salt))
        start = search.read_cursor(call.query.get("cursor", ""), way)
        found: list[Found] = []
        following: search.Place | None = None
        async for step in taken(question.steps(start, limit), limit, lambda: self.kit.now() > began + LONGEST_S):
            found += (hit.found for hit in step.hits)
            following = step.place
        return found, search.cursor(following)

    def _require_index(self, user: Identity, conditions: Conditions) -> None:
        rule = self.kit.settings.lb.index_rule
        if rule == "everybody" or (rule == "users" and not self.gate.permits(Action.ADMIN_ACCESS, user)):
            require_index(conditions)

    async def feed(self, call: Call) -> Page:
        """The caller's jobs of the last while in some states, as RSS or Atom."""
        name = call.params["feed"]
        if name not in feeds.FEEDS:
            raise NotFound(f"There is no feed '{name[:50]}'.", hint=f"One of {', '.join(feeds.FEEDS)}.")
        wanted = feeds.FEEDS[name]
        since = self.kit.now() - self.kit.settings.lb.feed_s
        found = await self.kit.database.read(page_query.feed, call.user.dn, wanted, since)
        return self._fed(call, wanted.title, name, self.seen(call.user, found))

    async def query_feed(self, call: Call) -> Page:
        """The jobs of a query that were heard of in the last while, as RSS or Atom."""
        asked = written(call.question)
        found, _cursor = await self._search(call, asked, page_query.MOST_IN_FEED)
        since = self.kit.now() - self.kit.settings.lb.feed_s
        recent = [job for job in found if job.status.last_update_time >= since]
        return self._fed(call, f"Jobs: {asked.shown}", f"?query={asked.url}", recent)

    def _fed(self, call: Call, title: str, name: str, jobs: Sequence[Found]) -> Page:
        host, port = self.kit.lb_address
        link = f"https://{host}:{port}{_PATHS[call.operation.name]}{name}"
        entries = [feeds.entry(job.status) for job in jobs]
        if call.operation.name.startswith("lb.rss"):
            return Page(feeds.rss(title, link, entries, self.kit.now()), feeds.RSS_TYPE)
        return Page(feeds.atom(title, link, entries, self.kit.now()), feeds.ATOM_TYPE)


def written(question: str) -> Written:
    """The conditions in what stands after the `?`; raises Refused if there are none."""
    parts = question.split("&")
    begin = next((index for index, part in enumerate(parts) if part.startswith("query=")), None)
    if begin is None:
        raise Refused("The URL has no query.", hint="?query=owner=&status=Running")
    clauses = [parts[begin].removeprefix("query="), *(
        part for part in parts[begin + 1:] if part.partition("=")[0] not in _OURS)]
    text = "&".join(clauses)
    by_hand = any(sign in text for sign in "=<>")
    return Written(text if by_hand else unquote_plus(text), by_hand)


def asked_state(asked: Mapping[str, str]) -> JobState | None:
    """The state that is asked for; raises Refused for what is none."""
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
