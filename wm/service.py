"""The Workload Manager as a daemon: readers of its two topics, the broker, the market, housekeeping."""

from __future__ import annotations

from collections.abc import Container

from wm import lane_store, store
from wm.broker import Broker
from wm.catalogues.resolver import Catalogues
from wm.compounds import pump
from wm.compounds import store as compounds
from wm.drains import Drains
from wm.explaining.ces import CeDesk, Draining
from wm.explaining.desk import Desk
from wm.figures import Planning
from wm.measuring import Measuring
from wm.recovery import lookout
from wm.recovery.black_holes import Rules
from wm.recovery.credential_ends import CredentialEnds
from wm.recovery.memories import MEMORIES, Memories, Remembering
from wm.recovery.retries import Retries
from wm.replay.keeping import Keeping
from wm.requests import Requests
from wm.sayings import Sayings
from wm.supply.market import Market
from wm.supply.measures import Measures
from wm.turn import Turns
from wm.usage import Usage
from wms.consumer import Consumer, EffectConsumer
from wms.messages.topics import WM, WM_BEGUN, WM_MATCH
from wms.service import Daemon, Kit, Ticker

LOOK_S = 5.0
FORGET_AFTER_S = 86_400.0
FORGOTTEN = 30.0
"""Half-lives after which past use counts for nothing."""


def make(kit: Kit) -> Daemon:
    """The daemon `wm`."""
    memories, usage, drains = _memories(kit), Usage(kit.settings.wm.half_life_s), Drains()
    measures = Measures(kit.settings.information.measured_half_life_s, kit.settings.information.measured_least)
    measuring, market = Measuring(kit, measures), Market(kit, Sayings(drains, measures))
    measuring.market = market
    memories.witnesses.append(measuring.broken)
    turns = Turns(kit.host, [pump.follow, memories.follow, usage.follow, measuring.follow])
    catalogues = Catalogues(kit)
    broker = Broker(kit, market, turns, memories, catalogues)
    requests = Requests(turns, Retries(kit.settings.wm, memories, kit.rng), broker.lanes,
                        CredentialEnds(broker.credentials))
    keeping = Keeping(kit, broker.site, broker.rules)
    broker.decided.append(keeping.heard)
    planning = Planning(kit, LOOK_S, broker, memories)
    flow = pump.Pump(kit, turns)
    unfolding = Ticker(kit, "compounds", pump.AGAIN_S, flow.work)

    desk = Desk(kit, market, broker, memories, LOOK_S, CeDesk(kit, market, drains, memories))
    looking = Ticker(kit, "lookout", lookout.PERIOD_S, lookout.Lookout(kit, turns, memories).work)

    def woken(topics: Container[str]) -> None:
        if store.TASKQUEUE in topics or MEMORIES in topics:
            planning.poke()
        if MEMORIES in topics:
            looking.poke()
        if flow.woken(topics):
            unfolding.poke()

    async def forget() -> None:
        await kit.database.transact(store.forget, kit.now() - FORGET_AFTER_S)
        await kit.database.transact(broker.lanes.forget)
        await kit.database.transact(lane_store.forget_uses, kit.now() - FORGOTTEN * kit.settings.wm.half_life_s)
        await kit.database.transact(memories.forget, kit.now() - FORGET_AFTER_S)
        while await kit.database.transact(compounds.forget, kit.now() - FORGET_AFTER_S):
            pass

    market.listen(lambda _changed: planning.poke())
    kit.database.on_messages(woken)
    return Daemon("wm", [
        Remembering(kit, memories),
        Draining(kit, drains),
        market,
        measuring,
        catalogues,
        Ticker(kit, "market", kit.settings.information.refresh_s, market.refresh),
        Ticker(kit, "directories", kit.settings.information.bdii_s, market.consult),
        keeping,
        planning,
        unfolding,
        looking,
        Consumer(kit, WM, requests.handle),
        Consumer(kit, WM_BEGUN, measuring.begun),
        EffectConsumer(kit, WM_MATCH, desk.act),
        Ticker(kit, "forget", 3600.0, forget),
    ])


def _memories(kit: Kit) -> Memories:
    settings = kit.settings.wm
    return Memories(Rules(settings.black_hole_failures, settings.black_hole_fast_s, settings.black_hole_rest_s))
