"""The keys of one issuer: fetched when they are needed, kept, fetched again, used on while the issuer is silent.

What keys are is `wms.tokens.keys`; tokens are verified by `wms.issuers`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from wms.errors import Unavailable
from wms.fetch import Answer
from wms.service import Kit
from wms.tokens import discovery, keys
from wms.tokens.discovery import Metadata
from wms.tokens.keys import Keys

UNKNOWN_S = 30.0
"""Keys are fetched again because of a key that is not known at most this often."""
AGAIN_S = 10.0
"""An issuer that did not answer is left alone this long."""


class Fetching(Protocol):
    """`wms.fetch.Fetch`."""

    async def __call__(self, method: str, url: str, body: bytes, headers: Mapping[str, str],
                       seconds: float) -> Answer: ...


class IssuerKeys:
    """One fetch at a time, whoever waits for it; who waits no longer does not end it."""

    def __init__(self, kit: Kit, url: str, fetch: Fetching) -> None:
        self._kit = kit
        self._url = url
        self._fetch = fetch
        self._settings = kit.settings.tokens
        self._metadata: Metadata | None = None
        self._keys: Keys | None = None
        self._content = b""
        self._fetched = 0.0
        self._tried = 0.0
        self._problem = ""
        self._running: Deferred[None] | None = None
        self._waiting: list[Deferred[None]] = []

    async def current(self, now: float) -> Keys:
        """Keys not older than settings say; Unavailable when there are none.

        A call waits for the issuer when keys are due, but not for one that did not answer last time.
        """
        if self._keys is not None and now - self._fetched < self._settings.keys_s:
            return self._keys
        resting = bool(self._problem) and now - self._tried < AGAIN_S
        usable = self._usable(now)
        if usable is not None and self._problem:
            if not resting:
                self._begin()
            return usable
        if not resting:
            await self._wait()
        return self._demanded(self._kit.now())

    async def newer(self, now: float) -> Keys:
        """The same, fetched just now, for a key that is not known; at most every UNKNOWN_S."""
        if now - self._tried >= UNKNOWN_S:
            await self._wait()
        return self._demanded(self._kit.now())

    async def token_endpoint(self, now: float) -> str:
        """Empty when the issuer has none."""
        await self.current(now)
        return self._metadata.token_endpoint if self._metadata is not None else ""

    def stop(self) -> None:
        """Give up what is under way."""
        if self._running is not None:
            self._running.cancel()

    def _usable(self, now: float) -> Keys | None:
        return self._keys if now - self._fetched < self._settings.keys_keep_s else None

    def _demanded(self, now: float) -> Keys:
        found = self._usable(now)
        if found is None:
            raise Unavailable(f"The keys of {self._url} cannot be had: {self._problem}.",
                              hint="Try again later; the issuer of the token does not answer as it should.")
        return found

    async def _wait(self) -> None:
        """Until the fetch that is under way, or one that begins now, has ended."""
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        self._begin()
        await waiter

    def _begin(self) -> None:
        if self._running is None:
            self._running = Deferred.fromCoroutine(self._renew())
            _ = self._running.addErrback(self._failed).addBoth(self._ended)

    async def _renew(self) -> None:
        metadata = await self._discover()
        content = await self._get(metadata.jwks_uri)
        if content != self._content:
            found = keys.parse(content)
            self._keys, self._content = found, content
            self._kit.log.info("{issuer} has {number} keys", issuer=self._url, number=len(found.by_id),
                               skipped=list(found.skipped))
        self._metadata, self._fetched, self._problem = metadata, self._kit.now(), ""

    async def _discover(self) -> Metadata:
        first, second = discovery.places(self._url)
        found = await self._ask(first)
        if found.status != 200:
            return discovery.parse(await self._get(second), self._url)
        return discovery.parse(found.body, self._url)

    async def _get(self, url: str) -> bytes:
        found = await self._ask(url)
        if found.status != 200:
            raise Unavailable(f"it answers {found.status}")
        return found.body

    async def _ask(self, url: str) -> Answer:
        return await self._fetch("GET", url, b"", {"Accept": "application/json"}, self._settings.timeout_s)

    def _failed(self, failure: Failure) -> None:
        """Known before who waits goes on."""
        if failure.check(Unavailable):
            self._problem = str(failure.value).rstrip(".")
            self._kit.log.warn("the keys of {issuer} cannot be had: {problem}", issuer=self._url,
                               problem=self._problem)
        elif failure.check(CancelledError):
            self._problem = "this service ends"
        else:
            self._problem = "this service failed on its answer"
            self._kit.log.failure("the keys of {issuer} cannot be had", failure=failure, issuer=self._url)

    def _ended(self, _result: None) -> None:
        self._running, self._tried = None, self._kit.now()
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)
