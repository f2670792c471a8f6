"""The real reactor in a background thread, so that suites of ordinary functions can run coroutines on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from functools import cache
from typing import Any, TypeVar

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import blockingCallFromThread

T = TypeVar("T")


@cache
def started() -> Any:
    """The reactor, running from the first call until the process ends."""
    running = threading.Event()
    reactor.callWhenRunning(running.set)
    run = reactor.run
    threading.Thread(target=run, kwargs={"installSignalHandlers": False}, daemon=True).start()
    running.wait()
    return reactor


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs on the reactor."""
    def begin() -> Deferred[T]:
        return ensureDeferred(coroutine)

    result: T = blockingCallFromThread(started(), begin)
    return result


def until(check: Callable[[], bool], period_s: float = 0.01) -> None:
    """Wait until something is so. The test's own time limit is the only one."""

    async def wait() -> None:
        while not check():
            pause: Deferred[None] = Deferred()
            reactor.callLater(period_s, pause.callback, None)
            await pause

    run(wait())
