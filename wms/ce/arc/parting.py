"""How an ARC CE is made to forget a job: what lives is killed, what has ended is cleaned, until it is gone.

A-REX cleans no job that lives, though it says yes. Not here: what is forgotten on our side, which happens first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.task import deferLater
from twisted.logger import Logger

from wms.ce.arc import answers
from wms.ce.arc.record import Parting
from wms.ce.arc.rest import Rest
from wms.ce.arc.site import Site
from wms.errors import BadCredential, NotAuthorized, NotFound, Unavailable
from wms.service import background

__all__ = ["Parter"]

log = Logger(namespace="wms.ce.arc")


class Parter:
    """Goes on in the background while there is somebody to part from."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._alone = DeferredLock()
        self._going: Deferred[None] | None = None

    def begin(self) -> None:
        """Unless it is at it."""
        if self._going is None and any(True for _ in self._site.partings.tokens()):
            self._going = background(self._go_on(), log)

    async def stop(self) -> None:
        going, self._going = self._going, None
        if going is not None:
            going.cancel()

    async def _go_on(self) -> None:
        try:
            while any(True for _ in self._site.partings.tokens()):
                await deferLater(self._site.clock, self._site.settings.part_s, lambda: None)
                await self._round_or_log()
        except CancelledError:
            return
        finally:
            self._going = None

    async def _round_or_log(self) -> None:
        try:
            await self.round()
        except Unavailable as error:
            log.debug("the CE does not answer: {error}", error=error.message)

    async def round(self) -> None:
        """One step with each. Raises Unavailable after all that could be done."""
        await self._alone.acquire()
        try:
            await self._step()
        finally:
            self._alone.release()

    async def _step(self) -> None:
        away: Unavailable | None = None
        for key, partings in self._by_credential().items():
            try:
                await self._of_credential(self._site.rest(key), key, partings)
            except (BadCredential, NotAuthorized) as error:
                log.info("jobs are left to the CE: {reason}", reason=error.message, number=len(partings))
                self._site.partings.remove(partings)
            except Unavailable as error:
                away = error
                continue
            await self._close(key)
        if away is not None:
            raise away

    def _by_credential(self) -> dict[str, dict[str, Parting]]:
        found: dict[str, dict[str, Parting]] = defaultdict(dict)
        for name, parting in self._site.partings.find(list(self._site.partings.tokens())).items():
            found[parting.credential][name] = parting
        return found

    async def _of_credential(self, rest: Rest, key: str, partings: dict[str, Parting]) -> None:
        await self._find(rest, key, [name for name, parting in partings.items() if not parting.handle])
        there = [item for body in await rest.jobs("status", [p.handle for p in partings.values() if p.handle])
                 for item in answers.items(body)]
        self._site.partings.remove([item.id for item in there if item.unknown])
        over = [item.id for item in there if item.state in answers.ENDED]
        live = [item.id for item in there if not item.unknown and item.state not in answers.ENDED]
        await rest.jobs("kill", live)
        cleaned = [item for body in await rest.jobs("clean", over) for item in answers.items(body)]
        gone = [item.id for item in cleaned if item.code < 300 or item.unknown]
        self._site.partings.remove(await self._really(rest, gone))

    async def _really(self, rest: Rest, cleaned: Collection[str]) -> list[str]:
        """Those that the CE does not know any more."""
        return [item.id for body in await rest.jobs("status", list(cleaned))
                for item in answers.items(body) if item.unknown]

    async def _find(self, rest: Rest, key: str, tokens: Collection[str]) -> None:
        """Those that were described, maybe, and never got a handle here."""
        named = await self._site.named(rest) if tokens else {}
        for token in tokens:
            for handle in named.get(token, []):
                self._site.partings.put(handle, Parting(key, handle))
            self._site.partings.remove([token])

    async def _close(self, key: str) -> None:
        """With the last job of a credential goes its delegation, then the credential."""
        if self._site.uses(key):
            return
        try:
            if not await self._site.delegations.delete(self._site.rest(key), key):
                return
        except (BadCredential, NotAuthorized, NotFound):  # nobody can delete it any more; the CE will
            self._site.delegations.forget(key)
        self._site.wallet.forget(key)
