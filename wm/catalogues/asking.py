"""Asks one catalogue of any kind about some names: a file, SOAP or REST. Whatever goes wrong is Unavailable.

Not which catalogue is asked, nor what is remembered (resolver).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from wm.catalogues import dli, rucio, static
from wm.catalogues.catalogue import Catalogue, Found
from wms.errors import ConfigError, Unavailable
from wms.fetch import Answer, Fetch
from wms.service import Kit

MAX_FILE_BYTES = 50_000_000
Answers = Mapping[str, Found]
"""What is known of the names that were asked for; one without replicas may be left out."""
Learn = Callable[[Answers], None]
"""Takes what is known already, so that it is not lost when the rest takes too long."""


class Asking:
    """`await asking(catalogue, names, learn)`."""

    def __init__(self, kit: Kit, fetch: Fetch) -> None:
        self._kit = kit
        self._fetch = fetch
        self._seconds = kit.settings.information.catalogue_timeout_s
        self._files: dict[str, tuple[int, Answers]] = {}
        self._ways: Mapping[str, Callable[[Catalogue, Sequence[str], Learn], Awaitable[Answers]]] = {
            "static": self._static, "dli": self._dli, "rucio": self._rucio}

    async def __call__(self, catalogue: Catalogue, names: Sequence[str], learn: Learn) -> Answers:
        """Unavailable when the catalogue does not answer, or not in its language."""
        return await self._ways[catalogue.kind](catalogue, names, learn)

    async def _static(self, catalogue: Catalogue, names: Sequence[str], _learn: Learn) -> Answers:
        """The file is read again when it has changed; one that breaks keeps its last word."""
        try:
            self._files[catalogue.file] = await self._kit.thread(_read, catalogue.file, self._files.get(catalogue.file))
        except (OSError, UnicodeDecodeError, ConfigError) as error:
            problem = error.message if isinstance(error, ConfigError) else str(error)
            if catalogue.file not in self._files:
                raise Unavailable(problem.partition("\n")[0]) from None
            self._kit.log.error("{file} keeps its last word: {problem}", file=catalogue.file, problem=problem)
        known = self._files[catalogue.file][1]
        return {name: known[name] for name in names if name in known}

    async def _dli(self, catalogue: Catalogue, names: Sequence[str], learn: Learn) -> Answers:
        found: dict[str, Found] = {}
        for name in filter(dli.speaks_of, names):
            answer = await self._post(catalogue.url, dli.request(name), dli.HEADERS)
            found[name] = Found(dli.answer(*answer))
            learn({name: found[name]})
        return found

    async def _rucio(self, catalogue: Catalogue, names: Sequence[str], _learn: Learn) -> Answers:
        dids = {did: name for name in names if (did := rucio.did(name, catalogue.scope)) is not None}
        if not dids:
            return {}
        headers = {**rucio.HEADERS, **await self._token(catalogue)}
        found = await self._dids(catalogue, list(dids), headers)
        return {dids[did]: one for did, one in found.items() if did in dids}

    async def _dids(self, catalogue: Catalogue, dids: Sequence[rucio.Did],
                    headers: Mapping[str, str]) -> Mapping[rucio.Did, Found]:
        """All in one request; one by one when one of them is not known there."""
        answer = await self._post(catalogue.url.rstrip("/") + rucio.PATH, rucio.request(dids), headers)
        if answer.status != rucio.UNKNOWN:
            return rucio.answer(*answer)
        found: dict[rucio.Did, Found] = {}
        for did in dids if len(dids) > 1 else ():
            found |= await self._dids(catalogue, [did], headers)
        return found

    async def _token(self, catalogue: Catalogue) -> Mapping[str, str]:
        if not catalogue.token_file:
            return {}
        try:
            text = await self._kit.thread(Path(catalogue.token_file).read_text, "ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"its token cannot be read: {error}") from None
        return {rucio.TOKEN: text.strip()}

    async def _post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return await self._fetch("POST", url, body, headers, self._seconds)


def _read(file: str, before: tuple[int, Answers] | None) -> tuple[int, Answers]:
    changed = Path(file).stat().st_mtime_ns
    if before is not None and before[0] == changed:
        return before
    with Path(file).open("rb") as opened:
        return changed, static.parse(opened.read(MAX_FILE_BYTES).decode(), file)
