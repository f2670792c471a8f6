"""The identifier of a registration as a URL, and the list of one's registrations: pages, text, JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from lb.figures.about import lines
from lb.notices.notification_operations import Registrar, given_of
from lb.pages import web
from lb.pages.wording import clock
from lb.queries.condition_texts import from_given, to_lines
from lb.queries.condition_values import Asked
from wms.errors import WmsError
from wms.httpd import Call, Handler, Page
from wms.operations.notifications import Notification

STREAM = "a stream"


def notification_pages(registrar: Registrar) -> dict[str, Handler]:
    """The operations of this topic by name."""
    async def one(call: Call) -> Page:
        found = await registrar.shown(call)
        return _page(call, f"Notification {call.params['id']}", [found], found)

    async def everyone(call: Call) -> Page:
        found = await registrar.listed(call)
        return _page(call, "Notifications", found.notifications, found)

    return {"lb.notification_page": _shown(one), "lb.notifications_page": _shown(everyone)}


def _shown(page: Callable[[Call], Awaitable[Page]]) -> Handler:
    """A refusal is a page too."""
    async def handle(call: Call) -> Page:
        try:
            return await page(call)
        except WmsError as error:
            return web.refusal(web.form(call.query, call.accept), error, call.params.get("id", "Not possible"))

    return handle


def _page(call: Call, title: str, found: Sequence[Notification], record: object) -> Page:
    form = web.form(call.query, call.accept)
    if form == "json":
        return web.json_page(record)
    told = [_facts(one) for one in found]
    if form == "text":
        return web.text_page("\n".join(lines(one.items()) for one in told))
    return web.html_page("notifications.html", {"title": title, "notifications": told})


def _facts(one: Notification) -> Mapping[str, str]:
    conditions = from_given(given_of(one.conditions), Asked("", 0.0), changes=True)
    return {"Notif_id": one.id, "destination": one.destination or STREAM, "owner": one.owner,
            "conditions": to_lines(conditions).strip().replace("\n", " AND "), "flags": " ".join(one.flags),
            "Valid until": clock(one.valid_until)}
