"""Which of a user's jobs, or of a job's events, a query is about. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from clients import moments
from clients.errors import ArgumentsExclusive, ArgumentWrong
from wms.event import EVENT_TYPES
from wms.jobstatus import JobState

_EVENTS = {name.lower(): name for name in EVENT_TYPES}
_STATES = {**{state.value.lower(): state for state in JobState}, "undef": JobState.UNDEFINED}


@dataclass(frozen=True, slots=True)
class Selection:
    """Jobs in a state of `only` (none: any) and none of `without`, submitted from `since` to `until` (epoch
    seconds, None open), with all `tags`.
    """

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, only: Iterable[str], without: Iterable[str], since: str, until: str, tags: Iterable[str],
              now: float) -> Self:
        """From options. Usage errors name the value that is wrong."""
        wanted, unwanted = frozenset(map(state, only)), frozenset(map(state, without))
        if wanted & unwanted:
            both = ", ".join(sorted(wanted & unwanted))
            raise ArgumentsExclusive(f"--status and --exclude both name {both}.")
        return cls(wanted, unwanted, moments.moment(since, now) if since else None,
                   moments.moment(until, now) if until else None, tuple(map(_tag, tags)))

    @property
    def narrows(self) -> bool:
        return self != type(self)()

    def takes(self, status: Mapping[str, Any]) -> bool:
        """Is the job of this status record selected?"""
        name = status.get("state", JobState.UNDEFINED.value)
        entered = status.get("stateEnterTimes", {}).get(JobState.SUBMITTED.value, 0.0)
        has = status.get("user_tags", {})
        return (name not in self.without and (not self.only or name in self.only)
                and (self.since is None or entered >= self.since)
                and (self.until is None or entered <= self.until)
                and all(has.get(tag) == value for tag, value in self.tags))


@dataclass(frozen=True, slots=True)
class EventSelection:
    """Events of a type of `only` (none: any) and none of `without`, logged from `since` to `until`."""

    only: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    since: float | None = None
    until: float | None = None

    @classmethod
    def parse(cls, only: Iterable[str], without: Iterable[str], since: str, until: str, now: float) -> Self:
        return cls(frozenset(map(event_type, only)), frozenset(map(event_type, without)),
                   moments.moment(since, now) if since else None,
                   moments.moment(until, now) if until else None)

    def takes(self, event: Mapping[str, Any]) -> bool:
        return (event["type"] not in self.without and (not self.only or event["type"] in self.only)
                and (self.since is None or event["timestamp"] >= self.since)
                and (self.until is None or event["timestamp"] <= self.until))


def event_type(text: str) -> str:
    """The name of an event type given in any case."""
    found = _EVENTS.get(text.lower())
    if found is None:
        raise ArgumentWrong(f"not an event type: {text!r}", hint=", ".join(sorted(EVENT_TYPES)))
    return found


def state(text: str) -> str:
    """The name of a state given by name in any case, or by its number."""
    found = _STATES.get(text.lower())
    if found is None and text.isdecimal() and int(text) < len(JobState):
        found = list(JobState)[int(text)]
    if found is None:
        raise ArgumentWrong(f"not a job state: {text!r}", hint=", ".join(one.value for one in JobState))
    return found.value


def _tag(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise ArgumentWrong(f"not a tag: {text!r}", hint="NAME=VALUE")
    return name.lower(), value
