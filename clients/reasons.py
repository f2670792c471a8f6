"""Why jobs are not running, for those whose statuses are known: asked of the Network Servers that have them.

A service that does not say it in time is no error: then nothing is known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from wms.errors import WmsError
from wms.operations import OPERATIONS
from wms.operations.explain import MOST_ASKED, Asked, Reason, ReasonsRequest

if TYPE_CHECKING:
    from clients.api import Client
    from clients.settings import Place

NOT_RUNNING = frozenset({"Submitted", "Waiting", "Ready", "Scheduled"})
ASK_S = 2.5
"""The longest wait for one Network Server; what it asks itself answers within 2 s or not at all."""


def of_statuses(client: Client, statuses: Iterable[Mapping[str, Any]]) -> dict[str, Reason]:
    """The reasons of the first MOST_ASKED jobs, and nodes of these, that are not running, by identifier."""
    asked: defaultdict[Place, list[Asked]] = defaultdict(list)
    for status in islice(_waiting(statuses), MOST_ASKED):
        asked[client.place_of(status)].append(Asked(status["jobId"], status.get("parent_job") or ""))
    found: dict[str, Reason] = {}
    for place, jobs in asked.items():
        found |= {reason.job: reason for reason in _answers(client, place, jobs)}
    return found


def _waiting(statuses: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for status in statuses:
        if status.get("state") in NOT_RUNNING and status.get("jobId"):
            yield status
        yield from _waiting(status.get("children_states") or ())


def _answers(client: Client, place: Place, jobs: list[Asked]) -> tuple[Reason, ...]:
    try:
        connection = replace(client.at(place), request_s=ASK_S, _http=None, _used=False)
    except WmsError as error:
        client.trace(f"{place} is not asked why jobs wait: {error.message}")
        return ()
    try:
        found: tuple[Reason, ...] = connection.call(OPERATIONS["ns.reasons"], ReasonsRequest(tuple(jobs))).reasons
    except WmsError as error:
        client.trace(f"{connection.place} does not say why jobs wait: {error.message}")
        return ()
    finally:
        connection.close()
    return found
