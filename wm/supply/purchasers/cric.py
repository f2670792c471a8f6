"""Computing elements from the JSON of a CRIC-like catalogue: queues of an experiment with the CE queues behind them.

Pure; fields that are not known are ignored. Times of a CE queue are minutes, `maxtime` is seconds, `maxrss` MB.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import msgspec

from wm.supply.purchasers import Described, Entry, described
from wm.supply.purchasers.glue13 import RULES, derived
from wms.errors import ConfigError

PURCHASER = "cric"
MAX_FILE = 64 * 1024 * 1024
FLAVOURS = {"htcondor-ce": "htcondorce", "arc-ce": "nordugrid", "arex": "nordugrid", "cream-ce": "cream"}
STATUS = {"online": "Production", "brokeroff": "Draining"}
"""Of a queue; any other, such as offline and test, is closed to users."""
ACTIVE = "ACTIVE"
UNLIMITED = 999_999_999


class CeQueue(msgspec.Struct, frozen=True):
    """One item of `queues`: a queue of a CE."""

    ce_endpoint: str = ""
    ce_flavour: str = ""
    ce_jobmanager: str | None = None
    ce_queue_name: str | None = None
    ce_state: str | None = None
    ce_version: str | None = None
    ce_queue_maxwctime: int | None = None
    ce_queue_maxcputime: int | None = None


class Queue(msgspec.Struct, frozen=True):
    """One queue of an experiment."""

    queues: list[CeQueue] = []
    vo_name: str | None = None
    rc_site: str | None = None
    state: str | None = None
    status: str | None = None
    maxtime: int | None = None
    maxrss: int | None = None
    corecount: int | None = None


def parse(text: str, origin: str = "<cric>") -> Described:
    """The CEs of a text: a mapping of queues by name. ConfigError if it is nothing of the kind."""
    if len(text) > MAX_FILE:
        raise ConfigError(f"{origin}: {len(text)} characters, more than {MAX_FILE}")
    try:
        tree = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, RecursionError) as error:
        raise ConfigError(f"{origin}: not a JSON mapping of queues: {error}") from None
    refused: list[str] = []
    found: dict[str, dict[str, Any]] = {}
    for name, raw in sorted(tree.items()):
        for id, attributes in _queue(name, raw, origin, refused):
            known = found.setdefault(id, attributes)
            known[RULES] = sorted({*known[RULES], *attributes[RULES]})
    return described(origin, [Entry(id, attributes) for id, attributes in found.items()], (), refused)


def _queue(name: str, raw: msgspec.Raw, origin: str, refused: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        queue = msgspec.json.decode(raw, type=Queue)
        for item in queue.queues:
            yield _ce(item, queue)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        refused.append(f"{origin}: queue {name[:200]!r}: {error}")


def _ce(item: CeQueue, queue: Queue) -> tuple[str, dict[str, Any]]:
    url = urlsplit(item.ce_endpoint if "://" in item.ce_endpoint else f"//{item.ce_endpoint}")
    if not url.hostname or not item.ce_queue_name:
        raise ValueError("a CE without host or queue name")
    manager = (item.ce_jobmanager or "unknown").casefold()
    kind = FLAVOURS.get(item.ce_flavour.casefold(), "jobmanager")
    id = f"{url.hostname}:{url.port or 443}/{kind}-{manager}-{item.ce_queue_name}"
    closed = {queue.state or ACTIVE, item.ce_state or ACTIVE} != {ACTIVE}
    told = {
        "GlueCEName": item.ce_queue_name,
        "GlueCEInfoHostName": url.hostname,
        "GlueCEInfoGatekeeperPort": url.port or 443,
        "GlueCEInfoLRMSType": manager,
        "GlueCEInfoJobManager": manager,
        "GlueCEInfoContactString": item.ce_endpoint,
        "GlueCEImplementationName": item.ce_flavour,
        "GlueCEImplementationVersion": item.ce_version,
        "GlueCEStateStatus": "Closed" if closed else STATUS.get((queue.status or "online").casefold(), "Closed"),
        "GlueCEPolicyMaxWallClockTime": item.ce_queue_maxwctime or (queue.maxtime or 0) // 60 or UNLIMITED,
        "GlueCEPolicyMaxCPUTime": item.ce_queue_maxcputime or UNLIMITED,
        "GlueHostMainMemoryRAMSize": queue.maxrss or None,
        "GlueHostArchitectureSMPSize": queue.corecount or None,
        RULES: [f"VO:{queue.vo_name}"] if queue.vo_name else [],
    }
    known = {name: value for name, value in told.items() if value is not None}
    return id, known | derived(id, known, queue.rc_site or "", PURCHASER)
