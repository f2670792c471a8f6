"""The ARC CE as a backend: asking, killing, renewing, output, description; submission and parting are apart.

Under the credential of each job's owner, or the service's. Not here: formats and requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.task import deferLater

from wms.ce import CeJob, CeState, Later, Phase, Rejected, Submitted
from wms.ce.arc import answers, information
from wms.ce.arc.answers import Item
from wms.ce.arc.description import OUTPUT, PROXY, TOKEN, renewal
from wms.ce.arc.parting import Parter
from wms.ce.arc.record import Entry
from wms.ce.arc.rest import Rest, together
from wms.ce.arc.settings import ArcSettings
from wms.ce.arc.site import Site, by_credential, handles
from wms.ce.arc.submission import Submission
from wms.ce.arc.wallet import SERVICE, Credential
from wms.ce.published import glue
from wms.errors import BadCredential, ConfigError, NotAuthorized, NotFound, Unavailable

__all__ = ["Arc", "make"]

OUTPUT_BYTES = 65_536
_TAKEN_S = 15.0
_LOOK_S = 0.5
_UNASKED = (BadCredential, NotAuthorized)


def make(settings: Mapping[str, Any], reactor: Any) -> Arc:
    """The factory of the registry; raises `ConfigError`."""
    try:
        given = msgspec.convert(dict(settings), ArcSettings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"arc CE: {error}") from None
    given.check()
    return Arc(given, reactor, time.time)


class Arc:
    """A `Backend`. `now` tells the time of credentials."""

    def __init__(self, settings: ArcSettings, reactor: Any, now: Callable[[], float]) -> None:
        self._settings = settings
        self._clock = reactor
        self._site = Site(settings, reactor, now)
        self._submission = Submission(self._site)
        self._parter = Parter(self._site)
        self._seen: dict[str, CeState] = {}
        self._when: dict[str, float] = {}

    async def start(self) -> None:
        """Take up what is in the spool."""
        self._site.prepare()
        self._parter.begin()

    async def stop(self) -> None:
        await self._parter.stop()
        await self._site.doors.close()

    def watch(self, wake: Callable[[], None]) -> None:
        """The interface has no events."""

    async def submit(self, jobs: Sequence[CeJob]) -> list[Submitted | Rejected | Later]:
        return await self._submission.submit(jobs)

    # -- asking ------------------------------------------------------------------------------------------

    async def status(self, tokens: Collection[str]) -> dict[str, CeState]:
        """One question a credential. Whom the CE does not tell about a job, its state stays as it was seen last."""
        entries = self._site.jobs.find(tokens)
        states = {token: CeState(token, Phase.LOST) for token in tokens}
        away: list[Unavailable] = []
        groups = by_credential({token: entry for token, entry in entries.items() if entry.handle})
        for key, group in groups.items():
            try:
                states |= await self._told(self._site.rest(key), group)
            except _UNASKED as error:
                states |= {token: self._untold(token, entry, error.message) for token, entry in group.items()}
            except Unavailable as error:
                states |= {token: self._untold(token, entry, error.message) for token, entry in group.items()}
                away.append(error)
        if away and len(away) == len(groups):
            raise away[0]
        for token in set(states) - set(entries):
            self._forget(token)
        return states

    def _untold(self, token: str, entry: Entry, reason: str) -> CeState:
        seen = self._seen.get(token)
        return seen if seen is not None and seen.phase is Phase.ENDED else CeState(
            token, seen.phase if seen is not None else Phase.QUEUED, entry.handle,
            reason=f"the CE cannot be asked: {reason}")

    async def _told(self, rest: Rest, group: Mapping[str, Entry]) -> dict[str, CeState]:
        done = {token: self._seen[token] for token in group if self._is_fresh(token)}
        asked = {entry.handle: token for token, entry in group.items() if token not in done}
        found = [item for item in await _items(rest, "status", list(asked)) if item.id in asked]
        over = [item.id for item in found if item.state in answers.ENDED]
        about = {item.id: answers.activity(item) for item in await _items(rest, "info", over) if not item.unknown}
        states = {asked[item.id]: self._state(asked[item.id], item) for item in found}
        ends = {asked[id]: answers.ended(asked[id], id, end, group[asked[id]].cancelled)
                for id, end in about.items() if id in asked and end.state in answers.ENDED}
        self._note(states | ends)
        return done | states | ends

    def _is_fresh(self, token: str) -> bool:
        """An end stays; the CE itself looks no oftener than every few seconds."""
        seen, when = self._seen.get(token), self._when.get(token, 0.0)
        return seen is not None and (seen.phase is Phase.ENDED
                                     or self._clock.seconds() < when + self._settings.fresh_s)

    def _note(self, states: Mapping[str, CeState]) -> None:
        self._seen |= {token: state for token, state in states.items() if state.phase is not Phase.LOST}
        self._when |= dict.fromkeys(states, self._clock.seconds())

    def _forget(self, token: str) -> None:
        self._seen.pop(token, None)
        self._when.pop(token, None)

    @staticmethod
    def _state(token: str, item: Item) -> CeState:
        """What is over, but for its document, which comes a little later, still runs."""
        phase = Phase.LOST if item.unknown else answers.PHASES.get(item.state, Phase.QUEUED)
        phase = Phase.RUNNING if phase is Phase.ENDED else phase
        return CeState(token, phase, "" if phase is Phase.LOST else item.id)

    async def output(self, token: str) -> str:
        entry = self._site.jobs.get(token)
        if entry is None or not entry.handle:
            return ""
        path = f"/jobs/{entry.handle}/session/{OUTPUT}"
        try:
            rest = self._site.rest(entry.credential)
            answer = await rest.get(path, f"0-{OUTPUT_BYTES - 1}")
            if answer.status == 206 and answer.total > OUTPUT_BYTES:
                answer = await rest.get(path, f"{answer.total - OUTPUT_BYTES}-{answer.total - 1}")
        except NotFound:
            return ""
        except _UNASKED as error:
            raise Unavailable(error.message) from None
        return "" if answer.status == 416 else answer.body[-OUTPUT_BYTES:].decode("utf-8", "replace")

    async def known(self) -> list[str]:
        """Also what the CE has under our mark and we do not: it is entered, so that it can be cleaned."""
        for key in self._site.wallet.known():
            try:
                named = await self._site.named(self._site.rest(key))
            except _UNASKED:
                continue
            for token, found in named.items():
                self._enter(key, token, found)
        self._parter.begin()
        return sorted(self._site.jobs.tokens())

    def _enter(self, key: str, token: str, found: Sequence[str]) -> None:
        """Of several with one name, those that did not become the job never started."""
        entry = self._site.jobs.get(token)
        if entry is None:
            entry = Entry(key, "", found[0])
            self._site.jobs.put(token, entry)
        for handle in found:
            if entry.handle and handle != entry.handle:
                self._site.part_double(key, handle)

    async def describe(self) -> list[dict[str, Any]]:
        """One record per queue; the CE tells it to everybody, so no owner's credential is used."""
        own = self._site.wallet.get(SERVICE) if self._settings.credential == SERVICE else Credential("")
        try:
            body = (await self._site.doors.of(own).get("/info")).body
        except _UNASKED as error:
            raise Unavailable(error.message) from None
        place = self._settings.place
        facts = information.shares(body, place.hostname or "", place.port or 443, self._settings.tags,
                                   self._settings.access_rules)
        return [glue(one) for one in facts if not self._settings.queues or one.queue in self._settings.queues]

    # -- acting ------------------------------------------------------------------------------------------

    async def cancel(self, tokens: Collection[str]) -> None:
        """Noted here before the CE is told; under a credential that is no good any more it cannot be."""
        entries = self._site.jobs.find(tokens)
        for token, entry in entries.items():
            if not entry.cancelled:
                self._site.change(token, cancelled=True)
        for key, group in by_credential(entries).items():
            try:
                await self._site.rest(key).jobs("kill", handles(group.values()))
            except _UNASKED:
                continue

    async def clean(self, tokens: Collection[str]) -> None:
        """Forgotten here at once; by the CE as soon as it can, and it is asked until it has."""
        for token, entry in self._site.jobs.find(tokens).items():
            self._site.part(token, entry)
            self._forget(token)
        self._parter.begin()
        await self._parter.round()

    async def renew(self, tokens: Collection[str], proxy: bytes, bearer: bytes = b"") -> None:
        """The owner's credential with us, the delegation, and the files of jobs that have such files."""
        for key, group in by_credential(self._site.jobs.find(tokens)).items():
            self._site.wallet.renew(key, proxy, bearer)
            try:
                await self._renewed(key, group, proxy, bearer)
            except _UNASKED:
                continue

    async def _renewed(self, key: str, group: Mapping[str, Entry], proxy: bytes, bearer: bytes) -> None:
        credential = self._site.wallet.get(key)
        rest = self._site.doors.of(credential)
        if self._site.delegates:
            await self._site.delegations.renew(rest, credential)
        states = {item.id: item.state for item in await _items(rest, "status", handles(group.values()))}
        stamp = int(self._site.now() * 1e6)
        fresh = [(name, content) for name, content in ((PROXY, proxy), (TOKEN, bearer)) if content]
        await together(self._replace(rest, entry.handle, renewal(name, content, stamp), states[entry.handle])
                       for entry in group.values() for name, content in fresh
                       if name in entry.files and answers.PHASES.get(states.get(entry.handle, ""))
                       in (Phase.QUEUED, Phase.RUNNING, Phase.HELD))

    async def _replace(self, rest: Rest, handle: str, file: tuple[str, bytes], state: str) -> None:
        """Bring it; the job puts it in its place, for which one that has begun is given some seconds."""
        path = f"/jobs/{handle}/session/{file[0]}"
        try:
            await rest.put(path, file[1])
            end = self._clock.seconds() + _TAKEN_S
            if state == "RUNNING" or await self._has_begun(rest, handle):
                while self._clock.seconds() < end:
                    await deferLater(self._clock, _LOOK_S, lambda: None)
                    await rest.get(path, "0-0")
        except NotFound:
            return

    @staticmethod
    async def _has_begun(rest: Rest, handle: str) -> bool:
        """Its output is there before the CE has heard that it runs."""
        try:
            await rest.get(f"/jobs/{handle}/session/{OUTPUT}", "0-0")
        except NotFound:
            return False
        return True


async def _items(rest: Rest, action: str, ids: Sequence[str]) -> list[Item]:
    return [item for body in await rest.jobs(action, ids) for item in answers.items(body)]
