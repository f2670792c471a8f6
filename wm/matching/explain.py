"""What each clause leaves of the CEs and what it costs, and in words what a job without a match lacks. Pure.

By the same checks as the match itself. Not quotas, slots and pauses: those are causes of the cycle.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from operator import and_
from typing import Any, NamedTuple

from wm.matching.data import named, ranks_by_cost
from wm.matching.matchmaker import EXPIRED, PIN, RANK, STATUS, UNDRAINED, Check, Matches, data_of, match
from wm.matching.places import mask_of, places
from wm.matching.request import AUTHORISATION
from wms.glue import DRAINED
from wms.jdl.ast import ERROR, UNDEFINED
from wms.jdl.values import Value, prepare
from wms.operations.explain import Clause
from wms.reasons import counted, listed
from wms.resource import ComputingElement

USER, SITE, DATA, INFORMATION = "user", "site", "data", "information"
MOST_BLAMED, MOST_DRAINED = 3, 10
AT_HAND, TRIED = "data: most input files at hand", "earlier attempts: hosts not tried before"


class NoMatch(NamedTuple):
    """Why nothing matches: a code of `wms.reasons` with the words of its sentence, and figures for machines."""

    code: str
    words: Mapping[str, object]
    details: Mapping[str, Any] = {}


class _Seen(NamedTuple):
    """The CEs that pass a check as a set of numbers, and of those that do not, where it is undefined or an error."""

    check: Check
    passing: int
    undefined: int
    errors: int


# -- the clauses -----------------------------------------------------------------------------------------


def clauses(matches: Matches) -> tuple[Clause, ...]:
    """Every check of a match in order, and how many more CEs would match without it.

    Each check looks at each CE once. Expressions that are too costly to be looked at in parts, and chance in them,
    are not foreseen.
    """
    ces = tuple(matches.snapshot.ces.values())
    seen = [_seen(check, ces) for check in matches.first_checks()]
    everything = (1 << len(ces)) - 1
    before = list(accumulate((one.passing for one in seen), and_, initial=everything))
    after = [everything, *accumulate((one.passing for one in reversed(seen)), and_)][::-1][1:]
    final = _final(matches, ces)
    chosen = final(before[-1])
    told = [_clause(matches, one, start, (final(start & rest) & ~chosen).bit_count())
            for one, start, rest in zip(seen, before, after, strict=False)]
    return (*told, *_narrowed(matches, ces, before[-1]))


def _seen(check: Check, ces: Sequence[ComputingElement]) -> _Seen:
    values = [check.passes(ce) for ce in reversed(ces)]

    def those(wanted: Value) -> int:
        return int("".join(["1" if value is wanted else "0" for value in values]) or "0", 2)

    return _Seen(check, those(True), those(UNDEFINED), those(ERROR))


def _clause(matches: Matches, one: _Seen, start: int, without: int) -> Clause:
    return Clause(one.check.name, _whose(matches, one.check.name), start.bit_count(),
                  (start & one.passing).bit_count(), without, (start & one.undefined).bit_count(),
                  (start & one.errors).bit_count(), one.passing.bit_count())


def _whose(matches: Matches, name: str) -> str:
    if name.startswith("`") or name in (RANK, PIN):
        return USER
    if name.startswith("data"):
        return DATA
    return SITE if name in dict(matches.site.requirements) else INFORMATION


def _final(matches: Matches, ces: Sequence[ComputingElement]) -> Callable[[int], int]:
    """From the CEs that pass all checks to those that match: with most of the data, not tried before."""
    nearest, fresh = _nearest(matches, ces), _fresh(matches, ces)
    return lambda mask: fresh(nearest(mask))


def _nearest(matches: Matches, ces: Sequence[ComputingElement]) -> Callable[[int], int]:
    data = data_of(matches.request, matches.snapshot)
    if data is None or not data.found or ranks_by_cost(matches.request.description.rank):
        return lambda mask: mask

    def nearest(mask: int) -> int:
        counts = {number: len(data.at_hand(ces[number])) for number in places(mask)}
        most = max(counts.values(), default=0)
        return mask_of(number for number, count in counts.items() if count == most)

    return nearest


def _fresh(matches: Matches, ces: Sequence[ComputingElement]) -> Callable[[int], int]:
    request = matches.request
    past = {name.casefold() for name in (() if request.description.submit_to else request.previous)}
    tried = mask_of(number for number, ce in enumerate(ces) if ce.host.casefold() in past) if past else 0
    return lambda mask: mask & ~tried or mask


def _narrowed(matches: Matches, ces: Sequence[ComputingElement], passing: int) -> Iterator[Clause]:
    """What is taken of the CEs that pass all, if anything."""
    near = _nearest(matches, ces)(passing)
    fresh = _fresh(matches, ces)(near)
    for name, whose, start, left in ((AT_HAND, DATA, passing, near), (TRIED, INFORMATION, near, fresh)):
        if left != start:
            more = (start & ~left).bit_count()
            yield Clause(name, whose, start.bit_count(), left.bit_count(), more, alone=left.bit_count())


# -- nothing matches -------------------------------------------------------------------------------------

_NAMES: Mapping[str, str] = {
    UNDRAINED: "what is drained", EXPIRED: "the age of what they say", STATUS: "the state they do not publish",
    PIN: "SubmitTo", RANK: "Rank, which must be a number", TRIED: "the hosts that were tried",
}
WHOLE = "each part of the requirements holds somewhere, the expression as a whole nowhere"


def no_match(matches: Matches, told: Sequence[Clause]) -> NoMatch:
    """Why nothing matches, from the clauses of the match."""
    if not matches.snapshot.ces:
        return NoMatch("no_resources", {})
    ces, request = counted(len(matches.snapshot.ces), "CE"), matches.request
    ended = next((clause for clause in told if clause.seen and not clause.left), None)
    helping = [clause for clause in told if clause.without]
    if ended is not None and ended.clause == AUTHORISATION:
        return NoMatch("not_authorised", {"ces": ces, "vo": f" (VO {request.vo})" if request.vo else ""})
    if ended is not None and ended.clause == RANK:
        return NoMatch("no_rank", {"ces": counted(ended.seen, "CE")})
    if {clause.clause for clause in helping} - {PIN} == {UNDRAINED}:
        return _drained(matches, next(clause.without for clause in helping if clause.clause == UNDRAINED))
    if [clause.whose for clause in helping] == [DATA]:
        return _no_data(matches, ces)
    return NoMatch("no_match", {"ces": ces, "blame": blame(told)}, {
        "ces": len(matches.snapshot.ces), "ended_by": ended.clause if ended else ""})


def _drained(matches: Matches, number: int) -> NoMatch:
    """The job would go to CEs that get no new jobs now: which, and what is said of them."""
    whole, now, site = matches.snapshot, matches.now, matches.site
    open = {ce.id: replace(ce, prepared=prepare({name: value for name, value in ce.prepared.items()
                                                 if name != DRAINED.lower()}))
            for ce in whole.ces.values() if DRAINED in ce.attributes}
    found = [one.ce for one in match(matches.request, replace(whole, ces=open), now, site).ranked]
    why = dict.fromkeys(f"{ce.destination} ({ce.attributes[DRAINED]})" for ce in found)
    return NoMatch("drained", {"ces": counted(number, "CE"), "which": listed(list(why))},
                   {"drained": sorted({ce.destination for ce in found})[:MOST_DRAINED]})


def _no_data(matches: Matches, ces: str) -> NoMatch:
    replicas = matches.request.replicas
    if lost := replicas.unanswered:
        return NoMatch("catalogue", {"files": named(lost), "be": "is" if len(lost) == 1 else "are",
                                     "warning": "; ".join(replicas.warnings) or "it does not answer"},
                       {"files": list(lost)})
    names = tuple(name for name, _ in replicas.files)
    files = named(names) if len(names) == 1 else f"any of {named(names)}"
    return NoMatch("no_data", {"ces": ces, "files": files}, {"files": list(names)})


def blame(told: Sequence[Clause]) -> str:
    """Which clauses to change: each that helps alone and how many more CEs match without it, else what each leaves."""
    helping = sorted((clause for clause in told if clause.without), key=lambda clause: -clause.without)
    if helping:
        return "; ".join(f"without {_name(clause)}: {counted(clause.without, 'more CE')}"
                         for clause in helping[:MOST_BLAMED])
    if told and told[-1].left:
        return WHOLE
    all, picky = told[0].seen, sorted((clause for clause in told if clause.alone <= told[0].seen / 2),
                                      key=lambda clause: clause.alone)[:MOST_BLAMED]
    picky = picky or [clause for clause in told if clause.left < clause.seen][:MOST_BLAMED]
    shown = [f"{_name(clause)} {clause.alone or 'none'} of {all}" for clause in told if clause in picky]
    return f"no single clause is to blame, each leaves few: {listed(shown)}"


def _name(clause: Clause) -> str:
    known = "the input data" if clause.whose == DATA else _NAMES.get(clause.clause, clause.clause)
    name = f"the site's requirement {known}" if clause.whose == SITE else known
    refused = clause.seen - clause.left
    how = "undefined" if clause.undefined == refused else "an error" if clause.errors == refused else ""
    return f"{name} ({how} there)" if how and refused else name
