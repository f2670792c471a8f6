"""Which CEs may run a job, and how well: a list of named checks and a rank, so that a refusal has a reason.

Nothing is chosen here (selection) nor decided (planner). A real match and list-match are the same call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from wm.matching.data import Holdings, holdings, ranks_by_cost, remarks
from wm.matching.request import AUTHORISATION, SITE, Request, Site
from wm.supply.supermarket import Snapshot
from wms.glue import DRAINED
from wms.jdl.ast import ERROR, UNDEFINED, Literal, Node, Operation, Special, conjunction
from wms.jdl.unparse import unparse
from wms.jdl.values import Value
from wms.resource import ComputingElement

EXPIRED, STATUS, PIN, RANK = "not expired", "status known", "SubmitTo", "rank"
UNDRAINED = "not drained"
PREVIOUS = "not tried before"
MOST_DATA = "most input files at hand"
WHOLE = "the expressions as a whole"
"""Only what is evaluated in one piece decides: parts that call random() or are short of steps may differ."""
TRUE = Literal(True)
_STATUS, _DRAINED = "gluecestatestatus", DRAINED.lower()
MAX_RANK = 1e300
MAX_LABEL = 120
MAX_TOLD = 6


class Ranked(NamedTuple):
    ce: ComputingElement
    rank: float


class Verdict(NamedTuple):
    """The word on one CE: `refused_by` is the first check it failed ("": none), `value` its result."""

    ce: str
    refused_by: str
    value: Value = True


class Tally(NamedTuple):
    """How many CEs a check saw and refused, and of these how many because it was undefined or an error."""

    check: str
    seen: int
    refused: int
    undefined: int = 0
    errors: int = 0


class Check(NamedTuple):
    """`passes` gives exactly True for a CE that may stay."""

    name: str
    passes: Callable[[ComputingElement], Value]


@dataclass(frozen=True)
class Matches:
    """The answer: `ranked` are the CEs the job may go to, best first. The rest explains, when asked for."""

    request: Request
    snapshot: Snapshot
    now: float
    site: Site
    ranked: tuple[Ranked, ...]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One for each CE of the snapshot, by id; made anew each time, as there may be many."""
        checks = (*self.first_checks(), *self._last_checks())
        return tuple(_verdict(ce, checks) for _, ce in sorted(self.snapshot.ces.items()))

    def first_checks(self) -> tuple[Check, ...]:
        """Those that look at one CE alone, in their order."""
        return _checks(self.request, self.now, self.site, data_of(self.request, self.snapshot))

    def _last_checks(self) -> tuple[Check, ...]:
        ranked, past = {one.ce.id for one in self.ranked}, _hosts(self.request.previous)
        data = data_of(self.request, self.snapshot)
        most = len(data.at_hand(self.ranked[0].ce)) if data and self.ranked and not _by_cost(self.request) else 0
        fewer = [Check(MOST_DATA, lambda ce: not data or len(data.at_hand(ce)) >= most)] if most else []
        return (*fewer, Check(PREVIOUS, lambda ce: ce.id in ranked or ce.host.casefold() not in past),
                Check(WHOLE, lambda ce: ce.id in ranked))

    @property
    def destinations(self) -> tuple[tuple[str, float], ...]:
        """What jobs are told of them, best first: a CE with several views that match is there once, with its rank."""
        best: dict[str, float] = {}
        for one in self.ranked:
            best.setdefault(one.ce.destination, one.rank)
        return tuple(best.items())

    @cached_property
    def tallies(self) -> tuple[Tally, ...]:
        """How each check in turn narrowed the set."""
        checks = (*self.first_checks(), *self._last_checks())
        refused: dict[str, list[Value]] = {check.name: [] for check in checks}
        verdicts = self.verdicts
        for verdict in verdicts:
            if verdict.refused_by:
                refused[verdict.refused_by].append(verdict.value)
        return tuple(_tallies(len(verdicts), refused))


def match(request: Request, snapshot: Snapshot, now: float = 0.0, site: Site = SITE) -> Matches:
    """The CEs of `snapshot` that may run the job at `now`, best rank first, equals by id.

    Hosts of earlier attempts are avoided unless nothing else is left. A CE whose rank is not a number is out.
    SubmitTo takes the place of Requirements, Rank, data and earlier attempts; what the site asks still holds.
    With input data only the CEs count that have the most files at hand, or their rank is the cost of access.
    """
    matcher, data = Matcher(request, now, site), data_of(request, snapshot)
    offered = filter(data.admits, matcher.offered(snapshot)) if data else matcher.offered(snapshot)
    found = [Ranked(ce, rank) for ce in offered if (rank := matcher.rank(ce)) is not None]
    near = _nearest(found, data, _by_cost(request)) if data else found
    return Matches(request, snapshot, now, site, ordered(near, request))


def data_of(request: Request, snapshot: Snapshot) -> Holdings | None:
    """What SEs hold of the job's data; None if it has none, or goes to a named CE whatever that has."""
    description = request.description
    return None if description.submit_to else holdings(request.replicas, description.data_access_protocols, snapshot)


def _by_cost(request: Request) -> bool:
    return ranks_by_cost(request.description.rank)


def _nearest(found: Sequence[Ranked], data: Holdings, by_cost: bool) -> list[Ranked]:
    if by_cost:
        return [Ranked(one.ce, -data.cost(one.ce)) for one in found]
    counts = [len(data.at_hand(one.ce)) for one in found]
    most = max(counts, default=0)
    return [one for one, count in zip(found, counts, strict=True) if count == most]


def ordered(found: Iterable[Ranked], request: Request) -> tuple[Ranked, ...]:
    """Best rank first, equals by id; without the hosts of earlier attempts, if others are left."""
    past, all = _hosts(() if request.description.submit_to else request.previous), list(found)
    fresh = [one for one in all if one.ce.host.casefold() not in past]
    return tuple(sorted(fresh or all, key=lambda one: (-one.rank, one.ce.id)))


class Matcher:
    """One request at one time, made ready to look at many CEs: `match` and the broker's classes stand on it.

    The fast way: each expression whole. It agrees with the named checks one after the other.
    """

    def __init__(self, request: Request, now: float, site: Site = SITE) -> None:
        self._now = now
        self._pin = request.description.submit_to
        policy = conjunction(*(part for _, part in site.requirements), TRUE)
        wanted = TRUE if self._pin else request.description.requirements
        rank = Literal(0.0) if self._pin or _by_cost(request) else request.description.rank
        self._wanted, self._allowed, self._rank = (request.bound(one, now) for one in (wanted, policy, rank))

    def offered(self, snapshot: Snapshot) -> Iterable[ComputingElement]:
        """The CEs worth a look: the one that SubmitTo names, with its views, or all."""
        return snapshot.by_destination.get(self._pin, ()) if self._pin else snapshot.ces.values()

    def rank(self, ce: ComputingElement) -> float | None:
        """How well the CE fits, None if it may not run the job."""
        prepared = ce.prepared
        if (self._wanted(prepared) is True and _STATUS in prepared and _DRAINED not in prepared
                and ce.expires > self._now and self._allowed(prepared) is True):
            return number(self._rank(prepared))
        return None


def _hosts(names: Iterable[str]) -> frozenset[str]:
    return frozenset(name.casefold() for name in names)


def number(value: Value) -> float | None:
    """A rank, None for a value that is none."""
    return float(value) if isinstance(value, (bool, int, float)) and -MAX_RANK < value < MAX_RANK else None


# -- the checks ------------------------------------------------------------------------------------------


def _checks(request: Request, now: float, site: Site, data: Holdings | None) -> tuple[Check, ...]:
    """All checks of a job in their order; a CE is refused by the first that does not give True."""
    def holds(name: str, part: Node) -> Check:
        passes = request.bound(part, now)
        return Check(name, lambda ce: passes(ce.prepared))

    general = [Check(UNDRAINED, lambda ce: _DRAINED not in ce.prepared), Check(EXPIRED, lambda ce: ce.expires > now),
               Check(STATUS, lambda ce: _STATUS in ce.prepared)]
    general += [holds(name, conjunction(part, TRUE)) for name, part in site.requirements]
    if pin := request.description.submit_to:
        return (Check(PIN, lambda ce: ce.destination == pin), *general)
    if data:
        general.append(Check(data.label, data.admits))
    parts = conjuncts(request.description.requirements)
    wanted = [holds(_label(part), part if len(parts) == 1 else conjunction(part, TRUE)) for part in parts]
    rank = request.bound(Literal(0.0) if _by_cost(request) else request.description.rank, now)
    return (*general, *wanted, Check(RANK, lambda ce: _ranks(rank(ce.prepared))))


def _ranks(value: Value) -> Value:
    return value if isinstance(value, Special) else number(value) is not None


def _verdict(ce: ComputingElement, checks: tuple[Check, ...]) -> Verdict:
    for check in checks:
        if (value := check.passes(ce)) is not True:
            return Verdict(ce.id, check.name, value)
    return Verdict(ce.id, "")


def conjuncts(top: Node) -> list[Node]:
    """The parts of an expression that are all to be true, in order: `(a && b) && c` has three."""
    found, todo = [], [top]
    while todo:
        here = todo.pop()
        if isinstance(here, Operation) and set(here.operators) == {"&&"}:
            todo.extend(reversed(here.operands))
        else:
            found.append(here)
    return found


def _label(part: Node) -> str:
    text = unparse(part)
    return f"`{text if len(text) <= MAX_LABEL else text[:MAX_LABEL] + '...'}`"


def _tallies(seen: int, refused: Mapping[str, list[Value]]) -> Iterator[Tally]:
    for name, values in refused.items():
        yield Tally(name, seen, len(values), sum(value is UNDEFINED for value in values),
                    sum(value is ERROR for value in values))
        seen -= len(values)


# -- why there is no match -------------------------------------------------------------------------------

NO_MATCH = "BrokerHelper: no compatible resources"
NO_RANK = "BrokerHelper: RankingError"
BAD_REQUIREMENTS = ("BrokerHelper: problems evaluating the 'requirements' expression "
                    "(probably something wrong in the JDL expression)")
NOT_AUTHORISED = "The user is not authorized on any resource currently registered in {host}"
OUTCOMES = {AUTHORISATION: NOT_AUTHORISED, RANK: NO_RANK}


def why(matches: Matches) -> str:
    """One sentence for the user: what came out, then how many CEs each check refused."""
    if matches.ranked:
        return f"{len(matches.ranked)} of {len(matches.snapshot.ces)} CEs match"
    if not matches.snapshot.ces:
        return f"{NO_MATCH}: the information system has no usable entry"
    refusing = [tally for tally in matches.tallies if tally.refused]
    told = (*_told(refusing), *remarks(matches.request.replicas))
    return f"{_outcome(refusing).format(host=matches.site.host)}: {'; '.join(told)}"


def _outcome(refusing: list[Tally]) -> str:
    """By the check that refused the last CE."""
    wanted = [tally for tally in refusing if tally.check.startswith("`")]
    if wanted and all(tally.errors == tally.refused for tally in wanted):
        return BAD_REQUIREMENTS
    return OUTCOMES.get(refusing[-1].check, NO_MATCH)


def _told(refusing: list[Tally]) -> Iterator[str]:
    largest = sorted(refusing, key=lambda tally: -tally.refused)[:MAX_TOLD]
    for tally in refusing:
        if tally in largest:
            yield f"{tally.check}: {tally.refused} of {tally.seen} CEs refuse{_cause(tally)}"


def _cause(tally: Tally) -> str:
    counts = (("undefined", tally.undefined), ("error", tally.errors))
    parts = [f"{name} on {count}" for name, count in counts if count]
    return f" ({', '.join(parts)})" if parts else ""
