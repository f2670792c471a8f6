"""Keeps the Information Supermarket fresh: asks the sources, swaps the snapshot, tells who listens what changed.

A source that fails keeps its last word until that expires. The merging is pure: `wm.supply.supermarket`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from twisted.internet.defer import DeferredLock

from wm.supply import sources
from wm.supply.own import Overlay, Words
from wm.supply.purchasers import Described, admitted, backends, modest
from wm.supply.sources import Place
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket, changed
from wms.errors import WmsError
from wms.service import Kit, background, within

ASK_TIMEOUT_S = 30.0
LINGER_S = 0.1
"""News from a CE gathers that long before the CE is asked: payloads end in swarms."""
INLINE = 500
"""Entries that are merged on the reactor; more goes to a thread."""
GRACE_S = 5.0

Listener = Callable[[frozenset[str]], object]
Sayings = Callable[[Snapshot], Mapping[str, Words]]
"""What the service itself says of the CEs of a snapshot, by id."""


class Market:
    """`snapshot` is what matching uses; it is replaced whole. A part: it watches the CEs from start to stop.

    `published` is the same without what the service itself says (`sayings`).
    """

    def __init__(self, kit: Kit, sayings: Sayings = lambda _published: {}) -> None:
        self._kit = kit
        self._sayings = sayings
        self._overlay = Overlay()
        self.published: Snapshot = EMPTY
        self._settings = kit.settings.information
        self._supermarket = Supermarket()
        self._files = list(sources.site_files(kit.settings, list(kit.backends)))
        self._far = list(sources.far(kit.settings))
        self._stamps: dict[str, sources.Stamp] = {}
        self._listeners: list[Listener] = []
        self._stirred: set[str] = set()
        self._timer: Any = None
        self._publishing = DeferredLock()
        self._open = False
        self.snapshot: Snapshot = EMPTY
        self.refused: dict[str, tuple[str, ...]] = {}
        self.silent: dict[str, str] = {}

    def listen(self, on_news: Listener) -> None:
        """`on_news(ids)` after the snapshot changed: the CEs that came, went, or say something else."""
        self._listeners.append(on_news)

    async def start(self) -> None:
        for name, backend in self._kit.backends.items():
            backend.watch(partial(self._stir, name))

    async def stop(self) -> None:
        self._stirred.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # -- asking ------------------------------------------------------------------------------------------

    async def refresh(self) -> None:
        """Ask the site's files and the CEs once."""
        for place in self._files:
            await self._visit(place)
        await self._ask(self._kit.backends)
        await self._publish()

    async def consult(self) -> None:
        """Ask directories and CRIC once; each is published as it answers."""
        for place in self._far:
            if await self._visit(place):
                await self._publish()
        self._open = True

    async def current(self) -> Snapshot:
        """The snapshot to match with now: made anew when an entry of it has ceased to hold."""
        if not self._open:
            await self.refresh()
            await self.consult()
        elif self.snapshot.expires <= self._kit.now():
            await self._publish()
        return self.snapshot

    async def _visit(self, place: Place) -> bool:
        """Ask a place if it may have news; is there any?"""
        name, wait_s = place.source.name, self._settings.bdii_timeout_s + GRACE_S
        try:
            stamp = place.stamp() if place.stamp else None
            if stamp is not None and stamp == self._stamps.get(name):
                return False
            told = await within(self._kit.clock, wait_s, self._kit.thread(place.ask))
        except (WmsError, OSError, UnicodeDecodeError) as error:
            self._no_answer(name, error)
            return False
        if stamp is not None:
            self._stamps[name] = stamp
        self._update(place.source, told)
        return True

    async def _ask(self, names: Iterable[str]) -> None:
        """Ask CEs what they say of themselves."""
        for name in names:
            source, backend = Source(f"ce {name}", Kind.BACKEND, self._settings.ttl_s), self._kit.backends[name]
            try:
                records = await within(self._kit.clock, ASK_TIMEOUT_S, backend.describe())
            except (WmsError, OSError) as error:
                self._no_answer(source.name, error)
            else:
                self._update(source, backends.purchase(name, records))

    def _no_answer(self, name: str, error: Exception) -> None:
        """It keeps its last word; a problem is logged when it is new."""
        problem = str(error) or type(error).__name__
        if self.silent.get(name) != problem:
            self.silent[name] = problem
            self._kit.log.error("{source} keeps its last word: {error}", source=name, error=problem)

    def _update(self, source: Source, told: Described) -> None:
        self.silent.pop(source.name, None)
        if self.refused.get(source.name, ()) != told.refused:
            for sentence in told.refused:
                self._kit.log.error("refused: {sentence}", source=source.name, sentence=sentence)
        self.refused[source.name] = told.refused
        bought = modest(admitted(told.purchase, self._settings.black_list))
        self._supermarket = self._supermarket.updated(source, bought, self._kit.now())

    # -- news of CEs -------------------------------------------------------------------------------------

    def _stir(self, name: str) -> None:
        """A CE says that something changed: ask it, and only it, soon."""
        self._stirred.add(name)
        if self._timer is None:
            self._timer = self._kit.clock.callLater(LINGER_S, self._heed)

    def _heed(self) -> None:
        self._timer = None
        names, self._stirred = sorted(self._stirred), set()
        _ = background(self._news(names), self._kit.log)

    async def _news(self, names: Iterable[str]) -> None:
        await self._ask(names)
        await self._publish()

    # -- publishing --------------------------------------------------------------------------------------

    async def say(self) -> None:
        """The service has something else to say of CEs: from the return on, it is in the snapshot."""
        if self._open:
            await self._publish()

    async def _publish(self) -> None:
        await self._publishing.acquire()
        try:
            old = self.snapshot
            self.published = await self._made(self.published)
            self.snapshot = self._overlay.over(self.published, self._sayings(self.published))
            news = changed(old, self.snapshot)
        finally:
            self._publishing.release()
        for tell in self._listeners if news else ():
            tell(news)

    async def _made(self, old: Snapshot) -> Snapshot:
        market, now = self._supermarket, self._kit.now()
        fresh = sum(len(stock.purchase.ces) + len(stock.purchase.ses) for name, stock in market.stocks.items()
                    if old.stocks.get(name) is not stock)
        if fresh <= INLINE:
            return market.snapshot(now, old)
        return await self._kit.thread(market.snapshot, now, old)
