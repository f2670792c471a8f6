"""Which CEs match, in which order, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import DN, ce, job, market, name

from tests.examples import examples
from wm.matching.matchmaker import (
    BAD_REQUIREMENTS,
    NO_MATCH,
    NO_RANK,
    PREVIOUS,
    Matches,
    Tally,
    conjuncts,
    match,
    why,
)
from wm.matching.request import Request, site
from wm.supply.purchasers import Entry
from wm.supply.supermarket import Snapshot
from wms.jdl.parser import parse_expression
from wms.jdl.unparse import unparse


def matched(request: Request, *ces: Entry) -> list[str]:
    """The names of the CEs that match, best first, without the common ending."""
    return names(match(request, market(*ces)))


def names(matches: Matches) -> list[str]:
    return [one.ce.id.partition(".")[0] for one in matches.ranked]


def reason(request: Request, *ces: Entry) -> str:
    return why(match(request, market(*ces)))


# -- what the user asks ----------------------------------------------------------------------------------


def test_requirements_choose_the_ces() -> None:
    assert matched(job("other.GlueCEPolicyMaxCPUTime > 720"),
                   ce("a", GlueCEPolicyMaxCPUTime=1000), ce("b", GlueCEPolicyMaxCPUTime=720)) == ["a"]


@pytest.mark.parametrize("requirements", ["other.Nothing > 1", '"text" && true', "1", "undefined", "error"])
def test_only_true_is_a_match(requirements: str) -> None:
    assert matched(job(requirements), ce("a")) == []


@pytest.mark.parametrize("call", [
    'Member("ALICE-4", other.{})', 'Member(other.{}, "alice-4")', 'IsMember("Alice-4", other.{})'])
def test_member_takes_its_arguments_in_either_order_and_any_case(call: str) -> None:
    tags = "GlueHostApplicationSoftwareRunTimeEnvironment"
    assert matched(job(call.format(tags)), ce("a", **{tags: ["Alice-4"]}), ce("b", **{tags: ["CMS"]}),
                   ce("c")) == ["a"]


def test_a_thousand_alternatives_are_no_problem() -> None:
    wanted = " || ".join(f'other.GlueCEUniqueID == "{name(f"h{n}")}"' for n in range(1000))
    assert matched(job(wanted), ce("h999"), ce("h1000")) == ["h999"]


def test_the_highest_rank_comes_first_and_equals_by_id() -> None:
    ranked = match(job(rank="-other.GlueCEStateEstimatedResponseTime"), market(
        ce("c", GlueCEStateEstimatedResponseTime=7), ce("b", GlueCEStateEstimatedResponseTime=60),
        ce("a", GlueCEStateEstimatedResponseTime=60))).ranked
    assert [(one.ce.id, one.rank) for one in ranked] == [(name("c"), -7), (name("a"), -60), (name("b"), -60)]


@pytest.mark.parametrize("rank", ["other.Nothing", '"text"', "1/0", "{1}", 'real("INF")', 'real("NaN")'])
def test_a_rank_that_is_no_number_drops_the_ce(rank: str) -> None:
    assert matched(job(rank=f"other.x ? 1 : {rank}"), ce("a", x=True), ce("b", x=False)) == ["a"]


def test_a_truth_value_ranks_as_a_number() -> None:
    assert matched(job(rank="other.x == 2"), ce("a", x=1), ce("b", x=2)) == ["b", "a"]


def test_requirements_may_look_into_the_close_ses() -> None:
    space = [Entry(f"{size}.org", {"GlueSAStateAvailableSpace": size}) for size in (500, 2000)]
    here = market(ce("a", GlueCESEBindGroupSEUniqueID=["500.org", "2000.org"]), ce("c"),
                  ce("b", GlueCESEBindGroupSEUniqueID=["500.org", "unknown.org"]), ses=tuple(space))
    wanted = job("anyMatch(other.storage.CloseSEs, target.GlueSAStateAvailableSpace > 1000)")
    assert names(match(wanted, here)) == ["a"]


# -- earlier attempts ------------------------------------------------------------------------------------


def test_hosts_of_earlier_attempts_are_avoided() -> None:
    assert matched(job(previous=("A.org",)), ce("a"), ce("b")) == ["b"]


def test_hosts_of_earlier_attempts_are_allowed_when_nothing_else_is_left() -> None:
    assert matched(job("other.x == 1", previous=("a.org",)), ce("a", x=1), ce("b", x=2)) == ["a"]


def test_a_ce_that_cannot_be_ranked_does_not_count_as_left() -> None:
    assert matched(job(rank="other.x", previous=("a.org",)), ce("a", x=1), ce("b")) == ["a"]


# -- what the site asks ----------------------------------------------------------------------------------

ATLAS = {"fqans": ("/atlas/Role=NULL/Capability=NULL",), "vo": "atlas"}
PILOT = {"fqans": ("/atlas/Role=pilot",), "vo": "atlas"}
PLAIN: dict[str, Any] = {"fqans": (), "vo": ""}


@pytest.mark.parametrize(("who", "rules", "admitted"), [
    (ATLAS, None, True),
    (PLAIN, None, True),
    (ATLAS, [], False),
    (ATLAS, ["VO:atlas"], True),
    (ATLAS, "VO:atlas", True),
    (ATLAS, ["VO:cms", "VO:lhcb"], False),
    (ATLAS, ["VOMS:/atlas"], True),
    (ATLAS, ["VOMS:/atlas/Role=pilot"], False),
    (PILOT, ["VOMS:/atlas/Role=pilot"], True),
    (PILOT, ["VO:atlas", "DENY:/atlas/Role=pilot"], False),
    (PLAIN, ["VO:atlas"], False),
    (PLAIN, [DN], True),
])
def test_access_rules_decide_who_may_run_and_none_means_all(
        who: dict[str, Any], rules: object, admitted: bool) -> None:
    assert bool(matched(job(**who), ce("a", GlueCEAccessControlBaseRule=rules))) == admitted


def test_nobody_becomes_a_member_of_a_vo_by_writing_so() -> None:
    forged = 'VirtualOrganisation = "cms"; VORule = "VO:cms"; VOMSRule = "VOMS:/cms";'
    closed = ce("a", GlueCEAccessControlBaseRule=["VO:cms", "VOMS:/cms"])
    assert matched(job(more=forged, **PLAIN), closed) == []


@pytest.mark.parametrize(("more", "found"), [
    ("", ["a"]), ("ShortDeadlineJob = true;", ["b"]), ("ShortDeadlineJob = false;", ["a"])])
def test_short_deadline_jobs_and_queues_keep_to_themselves(more: str, found: list[str]) -> None:
    short = Entry("b.org:1/jobmanager-local-sdj", {"GlueCEStateStatus": "Production"})
    assert matched(job(more=more), ce("a"), short) == found


@pytest.mark.parametrize(("most", "now", "free"), [
    (None, 5, True), (0, 5, True), (5, 5, False), (6, 5, True), (5, None, True)])
def test_a_full_queue_takes_no_job(most: int | None, now: int | None, free: bool) -> None:
    full = ce("a", GlueCEPolicyMaxTotalJobs=most, GlueCEStateTotalJobs=now)
    assert bool(matched(job(), full)) == free


def test_a_job_that_may_be_moved_goes_to_any_implementation() -> None:
    assert matched(job(more="EnableWmsFeedback = true;"), ce("a", GlueCEImplementationName="CREAM"),
                   ce("b", GlueCEImplementationName="LCG-CE"), ce("c")) == ["a", "b", "c"]


def test_the_output_se_of_the_job_must_be_close() -> None:
    assert matched(job(more='OutputSE = "se.org";'), ce("a", GlueCESEBindGroupSEUniqueID="SE.org"),
                   ce("b", GlueCESEBindGroupSEUniqueID=["x.org"]), ce("c")) == ["a"]


def test_a_site_may_ask_for_something_else() -> None:
    mine = site({"only big ones": "other.GlueCEInfoTotalCPUs >= 8"}, "wms.org")
    here = market(ce("a", GlueCEInfoTotalCPUs=4, GlueCEAccessControlBaseRule=["VO:cms"]))
    assert why(match(job(), here, site=mine)) == f"{NO_MATCH}: only big ones: 1 of 1 CEs refuse"


def test_a_ce_without_a_known_status_is_not_used() -> None:
    assert reason(job(), ce("a", GlueCEStateStatus=None)) == f"{NO_MATCH}: status known: 1 of 1 CEs refuse"


def test_an_old_snapshot_is_not_believed_for_ever() -> None:
    old = market(ce("a"), lifetime_s=60)
    assert names(match(job(), old, now=59)) == ["a"]
    assert why(match(job(), old, now=60)) == f"{NO_MATCH}: not expired: 1 of 1 CEs refuse"


# -- SubmitTo --------------------------------------------------------------------------------------------


def pinned(to: str, **more: Any) -> Request:
    return job("other.x == 1", "other.x", more=f'SubmitTo = "{name(to)}";', **more)


def test_submit_to_takes_the_place_of_requirements_rank_and_earlier_attempts() -> None:
    assert matched(pinned("a", previous=("a.org",)), ce("a"), ce("b", x=1)) == ["a"]


def test_submit_to_does_not_open_a_closed_door() -> None:
    assert reason(pinned("a"), ce("a", GlueCEAccessControlBaseRule=["VO:cms"]), ce("b")) == (
        "The user is not authorized on any resource currently registered in this broker: "
        "SubmitTo: 1 of 2 CEs refuse; authorisation: 1 of 1 CEs refuse")


def test_submit_to_an_unknown_ce_matches_nothing() -> None:
    assert matched(pinned("z"), ce("a")) == []


# -- why -------------------------------------------------------------------------------------------------


def test_the_reason_counts_what_each_conjunct_refuses() -> None:
    ces = [ce(f"h{n}", GlueCEPolicyMaxCPUTime=60 * n, x=n % 2) for n in range(20)]
    wanted = "other.GlueCEPolicyMaxCPUTime > 720 && (other.x == 1 && other.GlueCEPolicyMaxCPUTime < 60)"
    assert reason(job(wanted), *ces) == (
        f"{NO_MATCH}: `other.GlueCEPolicyMaxCPUTime > 720`: 13 of 20 CEs refuse; "
        "`other.x == 1`: 3 of 7 CEs refuse; `other.GlueCEPolicyMaxCPUTime < 60`: 4 of 4 CEs refuse")


def test_the_reason_tells_what_was_undefined_or_an_error() -> None:
    assert reason(job("other.GlueCEPolicyMaxCPUTme > 720"), ce("a"), ce("b")) == (
        f"{NO_MATCH}: `other.GlueCEPolicyMaxCPUTme > 720`: 2 of 2 CEs refuse (undefined on 2)")
    assert reason(job("other.x > 720"), ce("a", x="text"), ce("b")) == (
        f"{NO_MATCH}: `other.x > 720`: 2 of 2 CEs refuse (undefined on 1, error on 1)")


def test_an_error_on_every_ce_is_blamed_on_the_expression() -> None:
    assert reason(job('true && other.GlueCEStateStatus > 3'), ce("a"), ce("b")) == (
        f"{BAD_REQUIREMENTS}: `other.GlueCEStateStatus > 3`: 2 of 2 CEs refuse (error on 2)")


def test_a_rank_that_fails_everywhere_is_a_ranking_error() -> None:
    assert reason(job(rank="other.Nothing"), ce("a")) == (
        f"{NO_RANK}: rank: 1 of 1 CEs refuse (undefined on 1)")


def test_a_user_whom_no_rule_admits_is_told_so() -> None:
    cms = market(ce("a", GlueCEAccessControlBaseRule=["VO:cms"]))
    assert why(match(job(), cms, site=site(host="wms.org"))) == (
        "The user is not authorized on any resource currently registered in wms.org: "
        "authorisation: 1 of 1 CEs refuse")


def test_an_empty_market_is_told_so() -> None:
    assert reason(job()) == f"{NO_MATCH}: the information system has no usable entry"


def test_a_match_is_told_too() -> None:
    assert reason(job("other.x == 1"), ce("a", x=1), ce("b", x=2)) == "1 of 2 CEs match"


def test_a_long_reason_keeps_the_largest_figures_in_their_order() -> None:
    ces = [ce(f"h{n}", x=n) for n in range(36)]
    parts = " && ".join(f"other.x >= {n * (n + 1) // 2}" for n in range(1, 9))
    told = reason(job(f"{parts} && other.y"), *ces).partition(": ")[2].split("; ")
    assert [int(part.split("`: ")[1].split(" ")[0]) for part in told] == [3, 4, 5, 6, 7, 8]


def test_a_long_conjunct_is_cut() -> None:
    assert len(reason(job(" || ".join(["other.x == 1"] * 100)), ce("a"))) < 250


def test_verdicts_name_the_first_check_that_refused() -> None:
    matches = match(job("other.x == 1", previous=("b.org",)),
                    market(ce("a", x=1), ce("b", x=1), ce("c", x=2), ce("d", GlueCEStateStatus=None)))
    assert [(verdict.ce[0], verdict.refused_by) for verdict in matches.verdicts] == [
        ("a", ""), ("b", PREVIOUS), ("c", "`other.x == 1`"), ("d", "status known")]
    assert [tally for tally in matches.tallies if tally.refused] == [
        Tally("status known", 4, 1), Tally("`other.x == 1`", 3, 1), Tally(PREVIOUS, 2, 1)]


def test_an_expression_whose_parts_are_true_but_not_the_whole_has_a_reason_too() -> None:
    costly = " && ".join(["size(join(\",\", other.long)) > 0"] * 200)
    assert reason(job(costly), ce("a", long=["x" * 4000] * 100)) == (
        f"{NO_MATCH}: the expressions as a whole: 1 of 1 CEs refuse")


def test_the_time_of_the_match_is_known_to_expressions() -> None:
    assert names(match(job("time() >= 50"), market(ce("a")), now=50)) == ["a"]
    assert names(match(job("time() >= 50"), market(ce("a")), now=49)) == []


def test_conjuncts_are_the_parts_that_must_all_be_true() -> None:
    top = parse_expression("a && (b || c && d) && (e && (f && g)) && !(h && i)")
    assert [unparse(part) for part in conjuncts(top)] == ["a", "b || c && d", "e", "f", "g", "!(h && i)"]


# -- properties ------------------------------------------------------------------------------------------

figures = st.integers(0, 3)
atoms = st.one_of(
    st.builds("other.{} {} {}".format, st.sampled_from("xyz"), st.sampled_from(["<", "==", ">="]), figures),
    st.sampled_from(["true", "undefined", "1", "other.x", 'other.GlueCEStateStatus == "production"']))
expressions = st.lists(atoms, min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from([" && ".join(parts), " || ".join(parts), f"({parts[0]} && true) && true"]))
computing = st.builds(
    ce, st.sampled_from("abcdef"), x=st.one_of(st.none(), figures),
    y=st.one_of(st.none(), figures, st.just("text")),
    GlueCEAccessControlBaseRule=st.sampled_from([None, ["VO:atlas"], ["VO:cms"]]),
    GlueCEStateStatus=st.sampled_from(["Production", "Closed", None]))
ces = st.lists(computing, max_size=6, unique_by=lambda entry: entry.id)
jobs = st.builds(job, expressions, st.sampled_from(["0", "other.x", "-other.y"]),
                 previous=st.sampled_from([(), ("a.org",), ("b.org", "c.org")]))
free_jobs = st.builds(job, expressions, st.sampled_from(["0", "other.x", "-other.y"]))


@given(jobs, ces, st.data())
@settings(max_examples=examples(80), deadline=None)
def test_removing_a_ce_never_creates_a_match(request: Request, ces: list[Entry], data: st.DataObject) -> None:
    fewer = [entry for entry in ces if data.draw(st.booleans())]
    assert bool(matched(request, *fewer)) <= bool(matched(request, *ces))


@given(free_jobs, ces, st.data())
@settings(max_examples=examples(80), deadline=None)
def test_removing_a_ce_never_adds_another_for_a_first_attempt(
        request: Request, ces: list[Entry], data: st.DataObject) -> None:
    fewer = [entry for entry in ces if data.draw(st.booleans())]
    assert set(matched(request, *fewer)) <= set(matched(request, *ces))


@given(expressions, atoms, ces)
@settings(max_examples=examples(80), deadline=None)
def test_adding_a_conjunct_never_widens_the_set(wanted: str, more: str, ces: list[Entry]) -> None:
    narrow, wide = job(f"({wanted}) && ({more})"), job(f"({wanted}) && true")
    assert set(matched(narrow, *ces)) <= set(matched(wide, *ces))


@given(jobs, ces, st.randoms(use_true_random=False))
@settings(max_examples=examples(80), deadline=None)
def test_the_order_of_ces_never_matters(request: Request, ces: list[Entry], rng: Any) -> None:
    shuffled = list(ces)
    rng.shuffle(shuffled)
    one, other = match(request, market(*ces)), match(request, market(*shuffled))
    assert (one.ranked, one.verdicts, why(one)) == (other.ranked, other.verdicts, why(other))


@given(jobs, ces)
@settings(max_examples=examples(120), deadline=None)
def test_the_whole_expressions_and_the_named_checks_agree(request: Request, ces: list[Entry]) -> None:
    matches = match(request, market(*ces))
    assert {one.ce.id for one in matches.ranked} == {one.ce for one in matches.verdicts if not one.refused_by}
    assert {one.refused_by for one in matches.verdicts} & {"the expressions as a whole"} == set()
    assert sum(tally.refused for tally in matches.tallies) + len(matches.ranked) == len(ces)


def test_a_snapshot_is_what_list_match_sees_too() -> None:
    assert names(match(job(), Snapshot())) == []
