"""Answers "where are the input files of this job?" from the catalogues of the configuration, and remembers.

Bounded in time, memory and connections. A catalogue that fails is a warning in the answer, and rests a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from twisted.internet.defer import DeferredSemaphore

from wm.catalogues.asking import Answers, Asking
from wm.catalogues.catalogue import Catalogue, Found, chosen, configured, nowhere
from wm.matching.replicas import Question, Replicas, questions
from wms.errors import Unavailable
from wms.fetch import Fetch
from wms.jdl.description import JobDescription
from wms.service import Kit, within

MOST_NAMES = 100_000
"""Names that are remembered, of all catalogues together."""
MOST_FILES = 5_000
"""Files of one job that are looked up; more have no replica known."""
NOT_FOUND_S = 30.0
"""A file without replicas is asked for again after this: it may be about to be registered."""
PARALLEL = 4
"""Jobs whose files one catalogue is asked for at the same time."""
REST_S = 15.0
"""A catalogue that failed is not asked again before this."""
MAX_WARNING = 300


@dataclass(slots=True)
class _Gathered:
    """The answers to one job's questions so far."""

    found: dict[str, Found] = field(default_factory=dict)
    unanswered: dict[str, None] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)


class Catalogues:
    """`resolve`; a part, so that connections end with the daemon. ConfigError for catalogues that cannot be."""

    def __init__(self, kit: Kit) -> None:
        information = kit.settings.information
        self._kit = kit
        self._all = configured(information.catalogues)
        self._keep_s, self._timeout_s = information.catalogue_keep_s, information.catalogue_timeout_s
        self._fetch = Fetch(kit)
        self._asking = Asking(kit, self._fetch)
        self._known: dict[tuple[str, str], tuple[float, Found]] = {}
        self._resting: dict[str, tuple[float, str]] = {}
        self._turns = {one.name: DeferredSemaphore(PARALLEL) for one in self._all}

    async def start(self) -> None:
        await self._fetch.start()

    async def stop(self) -> None:
        await self._fetch.stop()

    async def resolve(self, description: JobDescription, vo: str) -> Replicas:
        """What is known of the job's input files now; without files for a job without data. Never fails."""
        gathered, order, left = _Gathered(), dict[str, None](), MOST_FILES
        for question in questions(description):
            order.update(dict.fromkeys(question.names))
            if len(question.names) > left:
                gathered.warnings[f"only {MOST_FILES} input files are looked up"] = None
            await self._question(Question(question.names[:left], question.endpoint), vo, gathered)
            left = max(0, left - len(question.names))
        files = tuple((name, gathered.found.get(name, Found()).urls) for name in order)
        sizes = tuple((name, one.size) for name, one in sorted(gathered.found.items()) if one.size >= 0)
        unanswered = tuple(name for name in gathered.unanswered if name not in gathered.found)
        return Replicas(files, sizes, unanswered, tuple(gathered.warnings))

    async def _question(self, question: Question, vo: str, gathered: _Gathered) -> None:
        """One catalogue after the other, each for what those before it do not have."""
        asked = chosen(self._all, vo, question.endpoint)
        if not asked:
            gathered.warnings[nowhere(vo, question.endpoint)] = None
        for catalogue in asked:
            left = [name for name in question.names if name not in gathered.found]
            try:
                found = await self._one(catalogue, left)
            except Unavailable as error:
                gathered.warnings[f"catalogue {catalogue.name}: {error.message}"[:MAX_WARNING]] = None
                gathered.unanswered.update(dict.fromkeys(left))
            else:
                gathered.found.update((name, one) for name, one in found.items() if one.urls)

    async def _one(self, catalogue: Catalogue, names: Sequence[str]) -> Answers:
        known = self._remembered(catalogue, names)
        unknown = [name for name in names if name not in known]
        return {**known, **(await self._asked(catalogue, unknown) if unknown else {})}

    def _remembered(self, catalogue: Catalogue, names: Iterable[str]) -> dict[str, Found]:
        now = self._kit.now()
        kept = {name: self._known.get((catalogue.name, name), (0.0, Found())) for name in names}
        return {name: found for name, (until, found) in kept.items() if until > now}

    async def _asked(self, catalogue: Catalogue, names: Sequence[str]) -> Answers:
        """In turn; meanwhile another may have got the answers, or the catalogue may have failed."""
        turn = self._turns[catalogue.name]
        await turn.acquire()
        try:
            known = self._remembered(catalogue, names)
            left = [name for name in names if name not in known]
            return {**known, **(await self._heard(catalogue, left) if left else {})}
        finally:
            turn.release()

    async def _heard(self, catalogue: Catalogue, names: Sequence[str]) -> Answers:
        until, problem = self._resting.get(catalogue.name, (0.0, ""))
        if self._kit.now() < until:
            raise Unavailable(problem)
        learn = partial(self._keep, catalogue)
        try:
            found = await within(self._kit.clock, self._timeout_s, self._asking(catalogue, names, learn))
        except Unavailable as error:
            self._kit.log.warn("catalogue {name} is no help: {error}", name=catalogue.name, error=error.message)
            self._resting[catalogue.name] = (self._kit.now() + REST_S, error.message)
            raise
        learn({name: found.get(name, Found()) for name in names})
        return found

    def _keep(self, catalogue: Catalogue, answers: Mapping[str, Found]) -> None:
        now = self._kit.now()
        for name in answers:
            self._known.pop((catalogue.name, name), None)
        if len(self._known) + len(answers) > MOST_NAMES:
            self._known = {key: kept for key, kept in self._known.items() if kept[0] > now}
        while self._known and len(self._known) + len(answers) > MOST_NAMES:
            del self._known[next(iter(self._known))]
        for name, found in answers.items():
            keep_s = self._keep_s if found.urls else min(self._keep_s, NOT_FOUND_S)
            self._known[catalogue.name, name] = (now + keep_s, found)
