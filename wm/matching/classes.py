"""Classes of jobs that matching cannot tell apart: equal keys give equal matches on any snapshot. Pure.

Not the matching. Jobs that differ in Executable, Arguments or sandboxes only are of one class.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from wm.matching.data import ranks_by_cost
from wm.matching.matchmaker import TRUE, conjuncts
from wm.matching.replicas import questions
from wm.matching.request import Request, Site
from wms.jdl.ast import Ad, Call, Literal, Node, conjunction, walk
from wms.jdl.description import JobDescription
from wms.jdl.own_references import own, taken
from wms.jdl.unparse import unparse

MOST = 4096
"""Keys that are remembered at once."""
FEW_NODES, FEW_CALLS = 400, 40
_SMALL = frozenset({"member", "ismember", "fqanmember", "isundefined", "iserror", "regexp"})
"""Functions that cost little: an expression of few of them never runs short of steps."""


class Meaning(NamedTuple):
    """The text of an expression, and of all that it takes from the job: what decides its value on a CE."""

    text: str
    taken: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """An expression of a job. `timely`: its value may change with time alone; `small`: it is cheap."""

    meaning: Meaning
    node: Node = field(compare=False)
    timely: bool = False
    small: bool = True


@dataclass(frozen=True, slots=True)
class Profile:
    """What there is to ask for a class: `parts` must all be true of a CE, `rank` orders those that are left.

    `whole`: the parts are so costly that they count in one piece only. `data`: the place of its files decides too.
    """

    parts: tuple[Part, ...]
    rank: Part
    timely: bool
    whole: bool
    data: bool


def profile(request: Request, site: Site) -> Profile:
    """What there is to ask for the class of a job at a site."""
    ad, description = request.ad, request.description
    pinned = bool(description.submit_to)
    wanted = () if pinned else _wanted(description.requirements)
    parts = (*(_part(node, ad, text) for node, text in _asked_by(site)), *(_part(node, ad) for node in wanted))
    rank = _part(Literal(0.0) if pinned or ranks_by_cost(description.rank) else description.rank, ad)
    every = (*parts, rank)
    return Profile(parts, rank, any(one.timely for one in every), not all(one.small for one in every),
                   bool(_data(request)))


def _wanted(requirements: Node) -> list[Node]:
    parts = conjuncts(requirements)
    return parts if len(parts) == 1 else [conjunction(part, TRUE) for part in parts]


@lru_cache(maxsize=16)
def _asked_by(site: Site) -> tuple[tuple[Node, str], ...]:
    """The requirements of a site as parts, and their texts."""
    nodes = [conjunction(one, TRUE) for _, one in site.requirements]
    return tuple((node, unparse(node)) for node in nodes)


def _part(node: Node, ad: Ad, text: str = "") -> Part:
    reads = own(node, ad)
    meaning = Meaning(text or unparse(node), taken(reads.names, ad))
    return Part(meaning, node, reads.timely, _small(node, reads.names, ad))


def _small(node: Node, names: frozenset[str], ad: Ad) -> bool:
    """Nodes and calls are so few that neither the part nor all parts together reach the limits of evaluation."""
    tops = [node, *(found for name in names if (found := ad.get(name)) is not None)]
    below = [part for top in tops for part, _ in walk(top)]
    calls = [part.function.lower() for part in below if isinstance(part, Call)]
    return len(below) <= FEW_NODES and len(calls) <= FEW_CALLS and _SMALL.issuperset(calls)


def _data(request: Request) -> tuple[object, ...]:
    """What decides where the job's data is, () without any: the files, not what catalogues say of them today."""
    description = request.description
    if description.submit_to or not (description.input_data or "DataRequirements" in description.ad):
        return ()
    return questions(description), description.data_access_protocols, request.vo, unparse(description.rank)


class Keys:
    """Class keys at a site, remembered by the identity of the description: it is held, so none takes its place."""

    def __init__(self, site: Site) -> None:
        texts = [unparse(node) for _, node in site.requirements]
        self._site = texts, own(conjunction(*(node for _, node in site.requirements)), Ad()).names
        self._known: dict[tuple[object, ...], tuple[JobDescription, str]] = {}

    def key(self, request: Request) -> str:
        mark = (id(request.description), request.owner, request.vo, request.fqans, request.previous)
        found = self._known.get(mark)
        if found is None:
            if len(self._known) >= MOST:
                self._known.clear()
            found = self._known[mark] = (request.description, self._digest(request))
        return found[1]

    def _digest(self, request: Request) -> str:
        """Of the texts of all expressions, and of all that they take from the job."""
        ad, description = request.ad, request.description
        texts, names = self._site
        wanted = [] if description.submit_to else [description.requirements, description.rank]
        reads = own(conjunction(*wanted), ad, names)
        past = () if description.submit_to else tuple(sorted({name.casefold() for name in request.previous}))
        told = (texts, [unparse(node) for node in wanted], taken(reads.names, ad), description.fuzzy_rank,
                description.fuzzy_factor, description.submit_to, past, _data(request))
        return hashlib.sha256(repr(told).encode()).hexdigest()[:32]


def priority(vo: str, fqans: Iterable[str], priorities: Mapping[str, int]) -> int:
    """What the site gives the VO or one of the FQANs; the highest counts, 0 when it says nothing."""
    names = {vo, *fqans, *(fqan.partition("/Role=NULL")[0] for fqan in fqans)}
    return max((priorities[name] for name in names & priorities.keys()), default=0)
