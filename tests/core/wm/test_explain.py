"""Clauses of a match: what they leave is what the match says, what they cost is what a match without them says."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name
from test_data import SES, at, near, reads

from tests.examples import examples
from wm.matching.explain import AT_HAND, TRIED, blame, clauses, no_match
from wm.matching.matchmaker import PREVIOUS, Matches, conjuncts, match
from wm.matching.request import SITE, Request, Site
from wm.supply.purchasers import Entry
from wms.jdl.ast import conjunction

PARTS = ("other.GlueCEStateFreeCPUs > 2", "other.GlueCEStateFreeCPUs < 5", "other.Foo == 1", 'other.GlueCEName > 3',
         "other.GlueCEStateFreeCPUs != 3", "true", "false", "undefined", "other.A || other.B", "other.A")
RANKS = ("0", "other.GlueCEStateFreeCPUs", "other.Foo", "other.DataAccessCost")
FILES = st.fixed_dictionaries({file: st.sampled_from([(), ("se0",), ("se1",), ("se0", "se2")]) for file in "xy"})


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    letter = draw(st.sampled_from("abcdef"))
    glue = draw(st.fixed_dictionaries({}, optional={
        "GlueCEStateFreeCPUs": st.integers(0, 6), "Foo": st.integers(0, 2), "GlueCEName": st.just("q"),
        "A": st.booleans(), "B": st.booleans(), "GlueCEStateStatus": st.none(),
        "GlueCEAccessControlBaseRule": st.sampled_from([["VO:atlas"], ["VO:cms"]])}))
    return near(letter, *draw(st.lists(st.sampled_from(["se0", "se1", "se2"]), max_size=2, unique=True)), **glue)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    wanted = " && ".join(draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=4)))
    past = tuple(f"{letter}.org" for letter in draw(st.lists(st.sampled_from("abc"), max_size=2)))
    pin = f'SubmitTo = "{name("a")}";' if draw(st.integers(0, 5)) == 0 else ""
    rank = draw(st.sampled_from(RANKS))
    if rank == RANKS[-1] or draw(st.booleans()):
        return reads("lfn:/x", "lfn:/y", requirements=wanted, rank=rank, more=pin, previous=past,
                     replicas=at(**draw(FILES)))
    return job(wanted, rank, more=pin, previous=past)


def matched(request: Request, ces: list[Entry], site: Site = SITE) -> Matches:
    return match(request, market(*ces, ses=SES), 0.0, site)


def ids(matches: Matches) -> set[str]:
    return {one.ce.id for one in matches.ranked}


@settings(max_examples=examples(120), deadline=None)
@given(requests(), st.lists(entries(), max_size=6, unique_by=lambda entry: entry.id))
def test_clauses_agree_with_the_match(request: Request, ces: list[Entry]) -> None:
    matches = matched(request, ces)
    told = clauses(matches)
    for one, other in pairwise(told):
        assert one.left == other.seen
    assert told[0].seen == len(ces)
    assert told[-1].left == len(matches.ranked)
    for one in told:
        assert one.left <= one.alone <= len(ces)
        assert one.undefined + one.errors <= one.seen - one.left
    tallies = {tally.check: tally for tally in matches.tallies}
    for clause in told:
        if clause.clause in tallies and sum(one.clause == clause.clause for one in told) == 1:
            tally = tallies[clause.clause]
            assert (clause.seen, clause.seen - clause.left) == (tally.seen, tally.refused)
            assert (clause.undefined, clause.errors) == (tally.undefined, tally.errors)


@settings(max_examples=examples(120), deadline=None)
@given(requests(), st.lists(entries(), max_size=6, unique_by=lambda entry: entry.id))
def test_what_a_clause_costs_is_what_matches_without_it(request: Request, ces: list[Entry]) -> None:
    matches = matched(request, ces)
    told = [clause for clause in clauses(matches) if clause.clause.startswith("`")]
    parts = conjuncts(request.description.requirements)
    for number, clause in enumerate(told):
        rest = conjunction(*(part for other, part in enumerate(parts) if other != number))
        loose = replace(request, description=replace(request.description, requirements=rest))
        assert clause.without == len(ids(matched(loose, ces)) - ids(matches)), clause


@settings(max_examples=examples(40), deadline=None)
@given(requests(), st.lists(entries(), max_size=6, unique_by=lambda entry: entry.id))
def test_what_a_requirement_of_the_site_costs(request: Request, ces: list[Entry]) -> None:
    matches = matched(request, ces)
    for clause in clauses(matches):
        if clause.whose == "site":
            rest = Site(tuple(one for one in SITE.requirements if one[0] != clause.clause))
            assert clause.without == len(ids(matched(request, ces, rest)) - ids(matches))


@settings(max_examples=examples(80), deadline=None)
@given(requests(), st.lists(entries(), max_size=6, unique_by=lambda entry: entry.id))
def test_a_job_without_a_match_is_told_something(request: Request, ces: list[Entry]) -> None:
    matches = matched(request, ces)
    if not matches.ranked:
        found = no_match(matches, clauses(matches))
        assert found.code in {"no_resources", "not_authorised", "no_rank", "no_match", "no_data"}
        assert found.words.get("blame") != ""


def test_hosts_that_were_tried_and_less_data_are_clauses_of_their_own() -> None:
    tried = clauses(matched(job(previous=("a.org",)), [ce("a"), ce("b"), ce("c")]))[-1]
    assert (tried.clause, tried.seen, tried.left, tried.without) == (TRIED, 3, 2, 1)
    most = clauses(matched(reads("lfn:/x", "lfn:/y", replicas=at(x=("se0",), y=("se1",))),
                           [near("a", "se0"), near("b", "se0", "se1")]))[-1]
    assert (most.clause, most.seen, most.left, most.without) == (AT_HAND, 2, 1, 1)
    assert PREVIOUS in {tally.check for tally in matched(job(), []).tallies}


def test_the_expression_as_a_whole_may_be_to_blame() -> None:
    costly = " && ".join(["size(join(\",\", other.long)) > 0"] * 200)
    matches = matched(job(costly), [ce("a", long=["x" * 4000] * 100)])
    assert blame(clauses(matches)) == (
        "each part of the requirements holds somewhere, the expression as a whole nowhere")
