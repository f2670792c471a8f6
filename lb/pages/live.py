"""News of a job to whoever watches its page: server-sent events, until the job has ended or the watcher has gone.

However many watch a job, one loop looks at it. What the page shows is not here: it is asked for again.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import msgspec

from lb.pages.pulse import Pulse, pulse
from lb.waiting import ANY, Waiters
from wms.errors import Overloaded
from wms.service import Kit, Nap, background

HEARTBEAT_S = 15.0
LOOK_AGAIN_S = 5.0  # news of other processes are found after this
GATHER_S = 0.5  # between two looks: a job in which much happens is not shown more often
MOST_WATCHERS = 2_000
CONTENT_TYPE = "text/event-stream"
BEAT, END = b": \n\n", b"event: end\ndata: {}\n\n"


class Watched(NamedTuple):
    """A job to be watched: its unique part, and how many children it has."""

    unique: str
    children: int


class Channel:
    """What is known of one job that is watched; `pulse` is None before the first look and when the job is gone."""

    def __init__(self, kit: Kit) -> None:
        self.pulse: Pulse | None = None
        self.gone = False
        self.watchers: set[Nap] = set()
        self.pause = Nap(kit.clock)
        self.news: Nap | None = None

    def tell(self, found: Pulse | None) -> None:
        """Wake who watches, if there is something new."""
        if found is None or found != self.pulse:
            self.pulse, self.gone = found, found is None
            for nap in tuple(self.watchers):
                nap.wake()

    def close(self) -> None:
        """Nobody looks at the job any longer, nobody watches."""
        for nap in (self.pause, self.news, *self.watchers):
            if nap is not None:
                nap.end()


class Live:
    """All watched jobs of this process."""

    def __init__(self, kit: Kit, waiters: Waiters) -> None:
        self._kit = kit
        self._waiters = waiters
        self._channels: dict[str, Channel] = {}
        self._watching = 0

    def stream(self, job: Watched) -> AsyncGenerator[bytes, None]:
        """The news as they come; raises Overloaded when too many watch already."""
        if self._watching >= MOST_WATCHERS:
            raise Overloaded("Too many pages are being watched.", hint="The page can be loaded again by hand.")
        return self._pieces(job)

    async def _pieces(self, job: Watched) -> AsyncGenerator[bytes, None]:
        told: Pulse | None = None
        with self._at(job) as (channel, nap):
            while not nap.ended:
                now = channel.pulse
                if now is not None and now != told:
                    told = now
                    yield _event(now)
                else:
                    yield BEAT
                if channel.gone or (told is not None and told.state.terminal):
                    yield END
                    return
                await nap.sleep(HEARTBEAT_S)

    @contextmanager
    def _at(self, job: Watched) -> Iterator[tuple[Channel, Nap]]:
        """A place among the watchers of a job; the first opens its channel, the last closes it."""
        nap = Nap(self._kit.clock)
        channel = self._channels.get(job.unique) or self._open(job)
        channel.watchers.add(nap)
        self._watching += 1
        try:
            yield channel, nap
        finally:
            self._watching -= 1
            channel.watchers.discard(nap)
            if not channel.watchers:
                channel.close()

    def _open(self, job: Watched) -> Channel:
        channel = self._channels[job.unique] = Channel(self._kit)
        _ = background(self._look(job, channel), self._kit.log)
        return channel

    async def _look(self, job: Watched, channel: Channel) -> None:
        """Look at the job whenever there is news, of any job if it has children, until nobody watches."""
        try:
            with self._waiters.at(ANY if job.children else job.unique) as channel.news:
                while not (channel.pause.ended or channel.news.ended):
                    channel.tell(await self._kit.database.read(pulse, *job))
                    await channel.pause.sleep(GATHER_S)
                    await channel.news.sleep(LOOK_AGAIN_S)
        finally:
            channel.close()
            if self._channels.get(job.unique) is channel:
                del self._channels[job.unique]


def _event(found: Pulse) -> bytes:
    news = {"version": found.version, "state": found.state.value, "histogram": found.histogram}
    return b"id: %d\ndata: %b\n\n" % (found.version, msgspec.json.encode(news))
