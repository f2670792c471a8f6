"""The delegations of an ARC CE: one for each credential, shared by all its jobs, renewed in its place, deleted at last.

A-REX keeps what it is given until somebody deletes it, and takes jobs with a delegation that it does not have.
Not here: the signing itself (signing). Delegations of others under the same name are left alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from wms.ce.arc import answers
from wms.ce.arc.record import Delegated
from wms.ce.arc.rest import Answer, Rest
from wms.ce.arc.settings import ArcSettings
from wms.ce.arc.signing import signed
from wms.ce.arc.wallet import Credential
from wms.ce.ledger import Ledger
from wms.errors import NotFound, Unavailable

__all__ = ["Delegations"]

LIFETIME_S = 7 * 86_400.0
"""At most; none outlives its credential."""
PEM = "application/x-pem-file"


class Delegations:
    """By the key of their credential."""

    def __init__(self, settings: ArcSettings, now: Callable[[], float]) -> None:
        self._now = now
        self._chance = random.SystemRandom()
        self._kept = Ledger(Path(settings.spool, "delegations"), Delegated)

    def prepare(self) -> None:
        self._kept.prepare()

    async def current(self, rest: Rest, credential: Credential) -> str:
        """The id of a delegation that the CE has and that lasts as long as the credential; "" for tokens."""
        if not credential.proxy:
            return ""
        known = await self._there(rest, credential.key)
        if known is None:
            return await self._make(rest, credential)
        if known.not_after < credential.not_after:
            await self._renew(rest, credential, known.id)
        return known.id

    async def renew(self, rest: Rest, credential: Credential) -> None:
        """Jobs that run get the fresh proxy, if there is a delegation of it."""
        if credential.proxy and (known := await self._there(rest, credential.key)) is not None:
            await self._renew(rest, credential, known.id)

    async def delete(self, rest: Rest, key: str) -> bool:
        """False while the CE still needs it."""
        known = self._kept.get(key)
        if known is not None:
            try:
                await rest.post(f"/delegations/{known.id}?action=delete")
            except Unavailable:  # A-REX answers 500 for one that a job holds
                return False
            except NotFound:
                pass
            self._kept.remove([key])
        return True

    def forget(self, key: str) -> None:
        """Leave it to the CE."""
        self._kept.remove([key])

    async def _there(self, rest: Rest, key: str) -> Delegated | None:
        """The one we made, if the CE still has it: it would take a job without, and sign for one that is not there."""
        known = self._kept.get(key)
        if known is None or known.id in answers.delegations((await rest.get("/delegations")).body):
            return known
        self._kept.remove([key])
        return None

    async def _make(self, rest: Rest, credential: Credential) -> str:
        request = await rest.post("/delegations?action=new")
        id = request.location.rsplit("/", 1)[-1]  # ARC 6: .../delegations?action=new/ID
        if not id.isalnum():
            raise Unavailable("the CE does not say which delegation it has begun")
        await self._sign(rest, credential, id, request)
        return id

    async def _renew(self, rest: Rest, credential: Credential, id: str) -> None:
        await self._sign(rest, credential, id, await rest.post(f"/delegations/{id}?action=renew"))

    async def _sign(self, rest: Rest, credential: Credential, id: str, request: Answer) -> None:
        chain = signed(request.body, credential.proxy, self._now(), LIFETIME_S, self._chance.getrandbits(62) + 1)
        self._kept.put(credential.key, Delegated(id, 0.0))  # known before it is whole, so that it is deleted at last
        await rest.put(f"/delegations/{id}", chain, PEM)
        self._kept.put(credential.key, Delegated(id, credential.not_after))
