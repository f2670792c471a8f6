"""Statistics, counters and the service about itself, as handlers of operations.

Sums are read in lb.figures.statistics_store; who may have them is asked at the gate.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lb.access.denials import Gate
from lb.access.rights import Action
from lb.figures import about
from lb.figures.counters import Counters
from lb.figures.statistics import (
    ALL,
    DONE_FAILED,
    DONE_OK,
    DURATIONS,
    PHASES,
    RINGS,
    Sums,
    duration,
    dwell,
    interval,
    rate,
)
from lb.figures.statistics_store import destinations, series, summed
from wms.errors import NothingFound, Refused
from wms.httpd import Call, Handler
from wms.identity import Identity
from wms.openapi import document
from wms.operations.figures import Configuration, Counts, Destinations, Series, Slot, Statistics
from wms.operations.jobs import Version
from wms.service import Kit
from wms.version import VERSION

RECENT_S = 600.0
_PHASES = {phase.lower(): (phase,) for phase in PHASES} | {"done": (DONE_OK, DONE_FAILED)}
_TIME = re.compile(r"\d{1,11}(\.\d*)?", re.ASCII)
_RINGS = {str(ring.seconds): ring for ring in RINGS}


def figures_handlers(kit: Kit, gate: Gate, counters: Counters) -> dict[str, Handler]:
    """The operations of this topic by name."""
    figures = Figures(kit, gate, counters)
    return {"lb.statistics": figures.statistics, "lb.statistics_series": figures.series,
            "lb.statistics_destinations": figures.destinations, "lb.counters": figures.counts,
            "lb.configuration": figures.configuration, "lb.version": figures.version, "lb.openapi": figures.openapi}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a question is about: the sums of which kinds, and its parameters in their canonical form."""

    kind: str
    kinds: tuple[str, ...]
    destination: str
    states: Mapping[str, str]

    def value(self, sums: Sums, seconds: float) -> float:
        return sums.number / seconds if self.kind == "rate" else sums.mean

    def deviation(self, sums: Sums) -> float:
        return 0.0 if self.kind == "rate" else sums.deviation


@dataclass(frozen=True, slots=True)
class Figures:
    """The handlers and what they need."""

    kit: Kit
    gate: Gate
    counters: Counters

    async def statistics(self, call: Call) -> Statistics:
        """One figure for an interval; a destination that nobody knows is NothingFound."""
        self._permitted(call.user)
        asked, now = _asked(call.query), self.kit.now()
        until = _time(call.query, "until", now)
        since = _time(call.query, "since", until - RECENT_S)
        if since >= until:
            raise Refused("`since` must be before `until`.", since=since, until=until)
        used = interval(since, until, now)
        if used.begin >= used.end:
            raise NothingFound("There are no statistics of that time.", since=since, until=until)
        sums = await self.kit.database.read(summed, asked.kinds, asked.destination, used)
        if not sums.number:
            await self._known(asked.destination)
        return Statistics(asked.kind, asked.destination, used.begin, used.end, used.resolution, sums.number,
                          asked.value(sums, used.end - used.begin), asked.deviation(sums), **asked.states)

    async def series(self, call: Call) -> Series:
        """A figure for each slot of a ring."""
        self._permitted(call.user)
        asked, now = _asked(call.query), self.kit.now()
        ring = _RINGS.get(call.query.get("resolution", "60"))
        if ring is None:
            raise Refused(f"`resolution` is one of {', '.join(_RINGS)}.", parameter="resolution")
        until = min(now, _time(call.query, "until", now))
        points = await self.kit.database.read(series, asked.kinds, asked.destination, ring, until)
        if not any(point.sums.number for point in points):
            await self._known(asked.destination)
        return Series(asked.kind, asked.destination, ring.seconds, tuple(
            Slot(point.at, point.sums.number, asked.value(point.sums, point.seconds), asked.deviation(point.sums))
            for point in points))

    async def destinations(self, call: Call) -> Destinations:
        self._permitted(call.user)
        return Destinations(tuple(await self.kit.database.read(destinations, self.kit.now())))

    async def counts(self, call: Call) -> Counts:
        self._permitted(call.user)
        return Counts(await self.counters.snapshot())

    async def configuration(self, call: Call) -> Configuration:
        return await about.configuration(self.kit, self.gate, call.user)

    async def version(self, _call: Call) -> Version:
        host, port = self.kit.lb_address
        return Version(VERSION, f"{host}:{port}")

    async def openapi(self, _call: Call) -> dict[str, Any]:
        return document("lb")

    def _permitted(self, who: Identity) -> None:
        """Everybody with a certificate, unless the administrators keep the figures for themselves."""
        if self.kit.settings.lb.statistics != "everybody":
            self.gate.require(Action.GET_STATISTICS, who)

    async def _known(self, destination: str) -> None:
        if destination != ALL and destination not in await self.kit.database.read(destinations, self.kit.now()):
            raise NothingFound(f"There are no statistics of the destination '{destination[:200]}'.",
                               destination=destination[:200])


def _asked(query: Mapping[str, str]) -> Asked:
    kind, destination = query.get("kind", "rate"), query.get("destination") or ALL
    if kind == "duration":
        begins, ends = _states(query, "from_state"), _states(query, "to_state")
        if any((begin, end) not in DURATIONS for begin in begins for end in ends):
            raise Refused("These durations are not measured.",
                          hint="Measured are " + ", ".join(f"{begin} to {end}" for begin, end in DURATIONS) + ".")
        kinds = tuple(kind for begin in begins for end in ends for kind in duration(begin, end))
        return Asked("duration", kinds, destination, {"from_state": _said(begins), "to_state": _said(ends)})
    if kind not in ("rate", "dwell"):
        raise Refused(f"There are no statistics of the kind '{kind[:50]}'.", hint="One of rate, duration, dwell.")
    states, of = _states(query, "state"), rate if kind == "rate" else dwell
    return Asked(kind, tuple(name for state in states for name in of(state)), destination, {"state": _said(states)})


def _states(query: Mapping[str, str], name: str) -> tuple[str, ...]:
    text = query.get(name, "")
    states = _PHASES.get(text.replace("_", " ").lower())
    if states is None:
        raise Refused(f"`{name}` must be a state, not '{text[:50]}'.", parameter=name,
                      hint=f"One of {', '.join(PHASES)}, Done.")
    return states


def _said(states: tuple[str, ...]) -> str:
    return states[0] if len(states) == 1 else "Done"


def _time(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name, "")
    if text and _TIME.fullmatch(text) is None:
        raise Refused(f"`{name}` must be epoch seconds, not '{text[:50]}'.", parameter=name)
    return float(text) if text else default
