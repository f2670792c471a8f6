"""The upkeep of Logging & Bookkeeping as parts and handlers of its daemon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lb import family
from lb.access.denials import Gate
from lb.upkeep.purge import Told
from lb.upkeep.purge_operations import Purging
from lb.upkeep.purger import Purger
from lb.upkeep.upkeep_operations import Upkeep
from lb.waiting import Waiters
from wms.httpd import Handler
from wms.service import Kit, Part, Ticker


class UpkeepService(NamedTuple):
    """What the daemon joins."""

    parts: Sequence[Part]
    handlers: Mapping[str, Handler]


def upkeep_service(kit: Kit, gate: Gate, waiters: Waiters, told: Told) -> UpkeepService:
    """`told` hears of each job before it is purged."""
    purger = Purger(kit, told)
    purging = Purging(kit, gate, purger)
    upkeep = Upkeep(kit, gate, waiters, (family.follower(kit.host),))
    period = kit.settings.lb.purge_period_s
    tickers = [Ticker(kit, "purge", period, purging.purge_by_itself)] if period else []
    return UpkeepService([purger, *tickers], {**purging.handlers(), **upkeep.handlers()})
