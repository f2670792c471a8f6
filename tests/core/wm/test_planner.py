"""What to do with a waiting job."""

from __future__ import annotations

from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name

from wm.matching.matchmaker import match
from wm.matching.planner import Planned, Policy, Refuse, Wait, plan
from wm.matching.request import Request
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket

POLICY = Policy(match_retry_s=300, expiry_s=1000)
NO_ENTRY = "BrokerHelper: no compatible resources: the information system has no usable entry"


def planned(request: Request, snapshot: Snapshot, now: float = 0) -> Planned | Wait | Refuse:
    return plan(request, snapshot, now, Random(3), POLICY)


def test_a_job_goes_to_the_best_ce() -> None:
    here = market(ce("a", x=1), ce("b", x=2), ce("c"))
    assert planned(job(rank="other.x"), here) == Planned(here.ces[name("b")], 2, 2)


def test_a_job_waits_when_no_ce_admits_its_vo() -> None:
    cms = market(ce(GlueCEAccessControlBaseRule=["VO:cms"]))
    assert planned(job(vo="atlas"), cms, now=10) == Wait(
        "The user is not authorized on any resource currently registered in this broker: "
        "authorisation: 1 of 1 CEs refuse", until=310)


def test_an_unmatched_job_goes_when_a_ce_appears() -> None:
    request = job("other.x == 1")
    assert isinstance(planned(request, market(ce("a", x=2))), Wait)
    assert isinstance(planned(request, market(ce("a", x=2), ce("b", x=1))), Planned)


def test_a_wait_ends_with_the_request() -> None:
    assert planned(job(submitted=5), EMPTY, now=800) == Wait(NO_ENTRY, until=1005)


def test_an_old_request_expires_even_if_a_ce_would_match() -> None:
    assert isinstance(planned(job(submitted=5), market(ce()), now=1004), Planned)
    assert planned(job(submitted=5), market(ce()), now=1005) == Refuse("request expired")


def test_the_description_may_say_when_it_expires() -> None:
    request = job(more="ExpiryTime = 5000;")
    assert planned(request, EMPTY, now=4900) == Wait(NO_ENTRY, until=5000)
    assert planned(request, EMPTY, now=5000) == Refuse("request expired")


def test_submit_to_a_ce_that_nobody_knows_is_refused() -> None:
    assert planned(pinned("z"), market(ce("a"))) == Refuse(
        f"unknown resource: SubmitTo names {name('z')}, which is not in the information system")


def test_submit_to_waits_for_the_first_purchase() -> None:
    assert planned(pinned("z"), EMPTY) == Wait(NO_ENTRY, until=300)


def test_submit_to_waits_for_a_ce_that_fell_silent() -> None:
    silent = Supermarket().updated(Source("local", Kind.BACKEND, 60), Purchase((ce("a"),)), 0).snapshot(61)
    assert planned(pinned("a"), silent) == Wait(NO_ENTRY, until=300)


def test_submit_to_a_known_ce_goes_there() -> None:
    here = market(ce("a"), ce("b"))
    assert planned(pinned("b"), here) == Planned(here.ces[name("b")], 0, 1)


def test_fuzzy_rank_lets_the_lesser_have_a_share() -> None:
    request, here = job(rank="other.x", more="FuzzyRank = true;"), market(ce("a", x=1), ce("b", x=2))
    rng = Random(1)
    chosen = [plan(request, here, 0, rng) for _ in range(50)]
    assert {one.ce.id for one in chosen if isinstance(one, Planned)} == {name("a"), name("b")}


def pinned(to: str) -> Request:
    return job(more=f'SubmitTo = "{name(to)}";')


@given(st.lists(st.builds(ce, st.sampled_from("abcd"), x=st.integers(0, 2)), max_size=4,
                unique_by=lambda entry: entry.id),
       st.sampled_from([(), ("a.org",), ("b.org",)]), st.integers(0, 1200), st.integers(0, 99))
@settings(max_examples=80, deadline=None)
def test_a_plan_never_takes_a_ce_that_a_check_refused(
        ces: list[Entry], previous: tuple[str, ...], now: int, seed: int) -> None:
    request, here = job("other.x > 0", "other.x", previous=previous), market(*ces)
    decision: Any = plan(request, here, now, Random(seed), POLICY)
    refused = {verdict.ce for verdict in match(request, here, now).verdicts if verdict.refused_by}
    match decision:
        case Planned():
            assert decision.ce.id not in refused
            assert decision.count == len(here.ces) - len(refused)
        case Wait():
            assert now < decision.until <= 1000
            assert refused == here.ces.keys()
        case Refuse():
            assert now >= 1000
