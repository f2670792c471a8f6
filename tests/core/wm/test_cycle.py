"""One matching cycle: eager and lazy lanes, quotas, shares, causes; nothing starves, nothing is given twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name

from tests.examples import examples
from wm.claims import Claims
from wm.matching.board import Board
from wm.matching.cycle import Cause, Outcome, Why
from wm.matching.inputs import Inputs, Rules, decide
from wm.matching.request import SITE, Request
from wm.matching.wording import sentence
from wm.ordering.order import PATIENCE, Lane
from wm.ordering.quotas import Held, Room
from wm.ordering.shares import Running, Shares, Use
from wm.supply.supermarket import Snapshot

FREE = "GlueCEStateFreeJobSlots"


def lane(id: str = "l", **told: Any) -> Lane:
    return Lane(**{"id": id, "cls": id, "vo": "atlas", "owner": "/CN=a", **told})


def run(lanes: Iterable[Lane], here: Snapshot, jobs: dict[str, Request] | None = None, *,
        rules: Rules = Rules(), **inputs: Any) -> Outcome:
    """A cycle; a lane without a job of its own has one that goes anywhere."""
    board = Board(SITE)
    board.show(here)
    known = jobs or {}
    return decide(Inputs(tuple(lanes), 0.0, **inputs), rules, board,
                  lambda one: board.fit(one.cls, known.get(one.id, job())))


def going(outcome: Outcome) -> dict[str, dict[str, int]]:
    """Jobs by lane and CE."""
    found: dict[str, dict[str, int]] = {}
    for one in outcome.placements:
        found.setdefault(one.lane, {})[one.ce.partition(".")[0]] = one.jobs
    return found


# -- eager -----------------------------------------------------------------------------------------------


def test_all_jobs_of_an_eager_lane_go_to_the_best_ce() -> None:
    outcome = run([lane(waiting=1000)], market(ce("a", x=1), ce("b", x=2)), {"l": job(rank="other.x")})
    assert going(outcome) == {"l": {"b": 1000}}
    assert not outcome.waits


def test_equals_share_and_fuzzy_rank_draws() -> None:
    here = market(ce("a", x=1), ce("b", x=2))
    for request in (job(), job(rank="other.x", more="FuzzyRank = true;")):
        counts = going(run([lane(waiting=1000)], here, {"l": request}, seed=3))["l"]
        assert sum(counts.values()) == 1000
        assert min(counts["a"], counts["b"]) > 250


def test_the_same_seed_gives_the_same_outcome() -> None:
    here = market(*(ce(f"h{n}") for n in range(9)))
    assert run([lane(waiting=99)], here, seed=7) == run([lane(waiting=99)], here, seed=7)


def test_a_cycle_ends_with_its_portion() -> None:
    outcome = run([lane(waiting=1000)], market(ce("a")), most=100)
    assert going(outcome) == {"l": {"a": 100}}
    assert outcome.waits == {"l": Cause(Why.TURN, 1)}


# -- lazy ------------------------------------------------------------------------------------------------


def test_a_lazy_lane_takes_free_slots_only() -> None:
    outcome = run([lane(waiting=9, lazy=True)], market(ce("a", **{FREE: 2}), ce("b", **{FREE: 0}), ce("c")),
                  claims={name("a"): 1})
    assert going(outcome) == {"l": {"a": 1, "c": 1}}
    assert outcome.waits == {"l": Cause(Why.SLOT, 3)}


def test_the_slot_goes_to_the_class_that_fits_best_then_to_the_oldest() -> None:
    lanes = [lane("poor", lazy=True, head=1.0), lane("young", lazy=True, head=3.0), lane("good", lazy=True, head=2.0)]
    jobs = {"poor": job(rank="1"), "young": job(rank="other.x"), "good": job(rank="other.x")}
    here = market(ce("a", x=5, **{FREE: 1}))
    assert going(run(lanes, here, jobs)) == {"good": {"a": 1}}


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=4),
       st.lists(st.integers(0, 3), min_size=1, max_size=4), st.integers(0, 3))
@settings(max_examples=examples(40), deadline=None)
def test_never_more_lazy_jobs_than_free_slots(kinds: list[tuple[int, bool]], slots: list[int], claimed: int) -> None:
    lanes = [lane(f"l{n}", waiting=waiting + 1, lazy=True) for n, (waiting, _) in enumerate(kinds)]
    here = market(*(ce(f"c{n}", **{FREE: free}) for n, free in enumerate(slots)))
    outcome = run(lanes, here, claims={name("c0"): claimed})
    placed = Counter[str]()
    for one in outcome.placements:
        placed[one.ce] += one.jobs
    free = {name(f"c{n}"): max(0, free - claimed * (n == 0)) for n, free in enumerate(slots)}
    assert all(placed[id] <= free[id] for id in placed)
    assert placed.total() == min(sum(free.values()), sum(one.waiting for one in lanes))


# -- quotas ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("quotas", "most", "named"), [
    ({"vo:atlas": 3}, 2, "vo:atlas"), ({"user:*": 4}, 3, "user:*"), ({"ce:*": 3}, 2, "ce:*"),
    ({f"ce:{name('a')}": 5, "ce:*": 0}, 4, "ce:*"), ({"vo:cms": 0}, 9, ""), ({"ce:other": 0}, 9, "")])
def test_a_quota_is_never_exceeded(quotas: dict[str, int], most: int, named: str) -> None:
    outcome = run([lane(waiting=9)], market(ce("a")), rules=Rules(quotas),
                  held=(Held("atlas", "/CN=a", name("a"), 1),))
    assert going(outcome) == {"l": {"a": most}}
    assert outcome.waits.get("l", Cause(Why.TURN)).detail == named


def test_what_a_full_ce_cannot_take_goes_to_the_next() -> None:
    outcome = run([lane(waiting=9)], market(ce("a", x=2), ce("b", x=1)), {"l": job(rank="other.x")},
                  rules=Rules({f"ce:{name('a')}": 2}))
    assert going(outcome) == {"l": {"a": 2, "b": 7}}


def test_no_ce_may_take_anything() -> None:
    assert run([lane()], market(ce("a")), rules=Rules({"ce:*": 0})).waits == {"l": Cause(Why.QUOTA, 1, "ce:*")}


@given(st.dictionaries(st.sampled_from(["vo:atlas", "vo:*", "user:*", "user:/CN=b", "ce:*", f"ce:{name('a')}"]),
                       st.integers(0, 5)), st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 9), st.booleans()),
                                                    max_size=4))
@settings(max_examples=examples(40), deadline=None)
def test_quotas_hold_whatever_comes(quotas: dict[str, int], lanes: list[tuple[str, int, bool]]) -> None:
    told = [lane(f"l{n}", owner=f"/CN={who}", waiting=waiting, lazy=lazy)
            for n, (who, waiting, lazy) in enumerate(lanes)]
    outcome = run(told, market(ce("a", **{FREE: 9}), ce("b", **{FREE: 9})), rules=Rules(quotas))
    owners = {one.id: one.owner for one in told}
    placed = Counter[tuple[str, str]]()
    for one in outcome.placements:
        for kind in (("vo", "atlas"), ("user", owners[one.lane]), ("ce", one.ce)):
            placed[kind] += one.jobs
    for (kind, who), jobs in placed.items():
        assert jobs <= quotas.get(f"{kind}:{who}", quotas.get(f"{kind}:*", 99))


def test_room_tells_the_limit_that_is_nearest() -> None:
    room = Room({"vo:atlas": 9, "user:*": 4}, [Held("atlas", "/CN=a", "ce", 3)])
    assert [room.of("atlas", "/CN=a"), room.of("atlas", "/CN=b"), room.at("ce")] == [
        (1, "user:*"), (4, "user:*"), float("inf")]


# -- set aside -------------------------------------------------------------------------------------------


def test_a_ce_that_is_set_aside_for_a_class_gets_none_of_its_jobs_but_one_to_try() -> None:
    lanes, here = [lane("l", waiting=3, cls="bad"), lane("m", waiting=3, cls="good")], market(ce("a"))
    aside = run(lanes, here, aside={"bad": frozenset({name("a")})})
    assert going(aside) == {"m": {"a": 3}}
    assert aside.waits == {"l": Cause(Why.ASIDE, 1)}
    trial = run(lanes, here, trials={"bad": frozenset({name("a")})})
    assert going(trial) == {"l": {"a": 1}, "m": {"a": 3}}


# -- causes ----------------------------------------------------------------------------------------------


def test_every_lane_that_waits_has_a_cause_and_a_sentence() -> None:
    jobs = {"none": job("other.x == 9"), "rank": job(rank="other.none")}
    outcome = run([lane("none"), lane("rank")], market(ce("a")), jobs)
    assert outcome.waits == {"none": Cause(Why.MATCH), "rank": Cause(Why.RANK, 1)}
    assert sentence(Cause(Why.QUOTA, 3, "vo:atlas")) == (
        "the quota vo:atlas is used up; 3 computing elements match")


# -- order -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", [
    {"priority": 1}, {"vo": "cms"}, {"owner": "/CN=new"}, {"wish": 3}, {"head": 1.0}])
def test_priority_then_share_then_wish_then_age(first: dict[str, Any]) -> None:
    lanes = [lane("x", lazy=True, head=2.0), lane("y", **{"lazy": True, "head": 2.0, **first})]
    outcome = run(lanes, market(ce("a", **{FREE: 1})), past={("atlas", "/CN=a"): Use(1000.0, 0.0)})
    assert going(outcome) == {"y": {"a": 1}}


def test_a_lane_that_waits_long_gets_a_turn_whatever_the_priorities() -> None:
    lanes = {"high": lane("high", priority=9, waiting=10**6, lazy=True), "low": lane("low", waiting=5, lazy=True)}
    here, turn, cycles = market(ce("a", **{FREE: 1})), 0, 0
    while "low" in lanes and not lanes["low"].served:
        outcome = run(lanes.values(), here, turn=turn)
        turn, cycles = outcome.turn, cycles + 1
        lanes |= {id: lanes[id]._replace(served=number) for id, number in outcome.served.items()}
        assert cycles <= PATIENCE
    assert cycles == PATIENCE


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["a", "b"]), st.integers(0, 2)), min_size=1, max_size=6),
       st.integers(1, 3))
@settings(max_examples=examples(8), deadline=None)
def test_no_lane_starves(kinds: list[tuple[int, str, int]], slots: int) -> None:
    lanes = {f"l{n}": lane(f"l{n}", priority=priority, vo=vo, wish=wish, waiting=10**6, lazy=True)
             for n, (priority, vo, wish) in enumerate(kinds)}
    here, turn = market(ce("a", **{FREE: slots})), 0
    for _ in range(PATIENCE * len(lanes) + 1):
        outcome = run(lanes.values(), here, turn=turn, seed=turn)
        turn = outcome.turn
        lanes |= {id: lanes[id]._replace(served=number) for id, number in outcome.served.items()}
    assert all(one.served for one in lanes.values())


@given(st.floats(0.2, 5.0))
@settings(max_examples=examples(10), deadline=None)
def test_shares_converge_to_weights(weight: float) -> None:
    lanes = [lane(vo, vo=vo, owner="/CN=" + vo, waiting=10**6, lazy=True) for vo in ("atlas", "cms")]
    here, past, counts = market(ce("a", **{FREE: 10})), dict[tuple[str, str], Use](), Counter[str]()
    for _ in range(30):
        outcome = run(lanes, here, past=past, rules=Rules(weights={"atlas": weight}), turn=1)
        for one in outcome.placements:
            who = (one.lane, "/CN=" + one.lane)
            counts[one.lane] += one.jobs
            past[who] = past.get(who, Use()).plus(600.0 * one.jobs, 0.0, 86_400.0)
    assert counts["atlas"] / counts["cms"] == pytest.approx(weight, rel=0.15)


def test_use_counts_half_after_its_half_life_and_who_runs_counts_at_least_what_is_expected() -> None:
    assert Use(100.0, 0.0).decayed(10.0, 10.0) == 50.0
    assert Use(100.0, 0.0).decayed(10.0, 0.0) == 0.0
    assert Use(100.0, 0.0).plus(7.0, 10.0, 10.0) == Use(57.0, 10.0)
    assert [Running(2, 200.0).seconds(now) for now in (100.0, 2100.0)] == [1200.0, 4000.0]
    shares = Shares({}, {("v", "u"): Running(1, 0.0)}, 2000.0, weights={"v": 2.0}, half_life_s=10.0)
    shares.charge(("v", "u"), 2)
    assert [shares.vo("v"), shares.user(("v", "u")), shares.vo("w")] == [1600.0, 3200.0, 0.0]


# -- claims ----------------------------------------------------------------------------------------------


def test_a_claim_lasts_until_the_job_ends_or_the_ce_has_had_its_say() -> None:
    claims, here = Claims(7.0), market(ce("a"), ce("b")).ces
    for id, (which, at) in {"1": ("a", 10.0), "2": ("a", 50.0), "3": ("b", 50.0), "4": ("gone", 50.0)}.items():
        claims.add(name(which), id, at)
    later = {id: replace(one, updated=27.0) for id, one in here.items()}
    assert claims.jobs() == ["1", "2", "3", "4"]
    assert claims.counts(later) == {name("a"): 1, name("b"): 1}
    claims.ended({"2"})
    claims.ended(set())
    assert claims.counts(later) == {name("b"): 1}
