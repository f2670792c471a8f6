"""Pages about the service itself, as handlers: statistics, configuration, version, types of events.

Figures are read in lb.pages.figures_query, pages made in lb.pages.web_figures; who may have them is asked by
lb.figures.figures_operations.
"""

from __future__ import annotations

from dataclasses import dataclass

from lb.figures.figures_operations import Figures
from lb.figures.statistics import ALL, RINGS, Ring
from lb.pages import figures_query, web, web_figures
from wms.errors import Refused
from wms.httpd import Call, Page

_RINGS = {str(ring.seconds): ring for ring in RINGS}
ABOUT = ("version", "types", "configuration", "stats")


@dataclass(frozen=True, slots=True)
class About:
    """The handlers and what they need."""

    figures: Figures

    async def page(self, call: Call) -> Page:
        """The first of ABOUT that the URL names."""
        form = web.form(call.query, call.accept)
        match next(name for name in ABOUT if name in call.query):
            case "version":
                return web_figures.version_page(form, await self.figures.version(call))
            case "types":
                return web_figures.types_page(form)
            case "configuration":
                return web_figures.configuration_page(form, await self.figures.configuration(call))
            case _:
                return await self._statistics(call, form)

    async def _statistics(self, call: Call, form: web.Form) -> Page:
        counts = await self.figures.counts(call)
        kit, destination = self.figures.kit, call.query.get("destination") or ALL
        seen = await kit.database.read(figures_query.panorama, destination, _ring(call), kit.now())
        return web_figures.statistics_page(form, seen, counts.counters)


def _ring(call: Call) -> Ring:
    ring = _RINGS.get(call.query.get("resolution") or next(iter(_RINGS)))
    if ring is None:
        raise Refused(f"`resolution` is one of {', '.join(_RINGS)}.", parameter="resolution")
    return ring
