"""Which jobs are of one class, and what the board says of a class: always what `match` says of each of its jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name

from tests.examples import examples
from wm.matching import answers
from wm.matching.answers import UNIQUE, frozen
from wm.matching.board import Board, free_slots
from wm.matching.classes import Keys, priority
from wm.matching.matchmaker import match
from wm.matching.places import mask_of, places
from wm.matching.request import SITE, Request, site
from wm.supply.supermarket import Snapshot
from wms.jdl.ast import Ad, Literal
from wms.jdl.own_references import ALL, own, taken
from wms.jdl.parser import parse, parse_expression
from wms.jdl.values import prepare

# -- classes ---------------------------------------------------------------------------------------------

OPEN = site({"all": "true"})


def key(request: Request) -> str:
    return Keys(OPEN).key(request)


@pytest.mark.parametrize("more", [
    'Arguments = "other";', 'StdOutput = "out"; OutputSandbox = {"out"};', "Unused = 7;", "RetryCount = 2;"])
def test_what_matching_does_not_see_makes_no_difference(more: str) -> None:
    assert key(job("other.x > 1", more=more)) == key(job("other.x > 1"))


@pytest.mark.parametrize("other", [
    job("other.x > 2"), job("other.x > 1", "other.y"), job("other.x > 1", more="FuzzyRank = true;"),
    job("other.x > 1", previous=("a.org",)), job("other.x > 1", more=f'SubmitTo = "{name("a")}";'),
    job("other.x > 1", more='InputData = {"lfn:a"}; DataAccessProtocol = "gsiftp";')])
def test_what_matching_sees_does(other: Request) -> None:
    assert key(other) != key(job("other.x > 1"))


def test_attributes_that_requirements_refer_to_make_a_difference() -> None:
    one, other = (job("other.x > Least", more=f"Least = Base * 2; Base = {base};") for base in (1, 2))
    assert key(one) != key(other)


def test_the_owner_counts_where_the_site_asks_for_it() -> None:
    asking = Keys(site({"mine": 'CertificateSubject == "/CN=a"'}))
    one, other = job(owner="/CN=a"), job(owner="/CN=b")
    assert key(one) == key(other)
    assert asking.key(one) != asking.key(other)


def test_keys_are_remembered_by_description_and_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.matching.classes.MOST", 2)
    keys, requests = Keys(OPEN), [job(f"other.x > {number}") for number in range(5)]
    assert [keys.key(one) for one in requests] == [keys.key(one) for one in requests]
    assert keys.key(requests[4]) == keys.key(requests[4])


def test_the_highest_priority_of_vo_and_groups_counts() -> None:
    told = {"atlas": 1, "/atlas/prod": 7}
    assert priority("atlas", ["/atlas/prod/Role=NULL/Capability=NULL"], told) == 7
    assert [priority("atlas", [], told), priority("cms", [], told)] == [1, 0]


@pytest.mark.parametrize(("expression", "names"), [
    ("other.x > 1", set()), ("target.x", set()), ("a + self.b", {"a", "b", "c"}), ("parent.a", {"a"}),
    ("self", {ALL, "a", "b", "c", "d"}), ("d.e", {"d", "e", "b", "c"}), ("d.parent", {ALL, "a", "b", "c", "d", "e"}),
    ("{a}[0].x", {"a"}), ('eval("a")', {ALL, "a", "b", "c", "d", "e"}), ("nothing", {"nothing"})])
def test_what_an_expression_takes_from_its_record(expression: str, names: set[str]) -> None:
    my = parse("a = 1; b = c; c = b; d = [e = parent.b];")
    assert own(parse_expression(expression), my).names >= names - {"e"}
    assert own(parse_expression(expression), my).names <= names | {"e"}


def test_what_is_taken_is_text() -> None:
    my = Ad().changed({"A": Literal(1)})
    assert taken(frozenset({"a", "b", ALL}), my) == (("*", "[ A = 1 ]"), ("a", "1"), ("b", ""))
    assert own(None, my, frozenset({"a"})) == (frozenset({"a"}), False)
    assert own(parse_expression("other.storage.CloseSEs"), my).names == {"virtualorganisation"}
    assert own(parse_expression("time()"), my).timely


# -- places and values -----------------------------------------------------------------------------------


@given(st.sets(st.integers(0, 300)))
@settings(max_examples=examples(50), deadline=None)
def test_a_set_of_places_is_an_int(members: set[int]) -> None:
    assert places(mask_of(members)) == sorted(members)


def test_values_that_an_expression_can_tell_apart_are_different_keys() -> None:
    told = [1, 1.0, True, "a", "A", -0.0, 0.0, [1], ["a"], [], [[]]]
    assert len({frozen(one) for one in told}) == len(told)
    assert [frozen(prepare({"a": 1})), frozen([prepare({})])] == [UNIQUE, UNIQUE]


@pytest.mark.parametrize(("told", "slots"), [(None, 1), (0, 0), (7, 7), (-1, 1), (True, 1), ("many", 1)])
def test_a_ce_that_does_not_tell_its_free_slots_is_thought_to_have_one(told: object, slots: int) -> None:
    (one,) = market(ce("a", GlueCEStateFreeJobSlots=told)).ces.values()
    assert free_slots(one) == slots


# -- the board -------------------------------------------------------------------------------------------

figures = st.integers(0, 3)
atoms = st.one_of(
    st.builds("other.{} {} {}".format, st.sampled_from("xyz"), st.sampled_from(["<", "==", ">="]), figures),
    st.sampled_from(["true", "undefined", "1", "other.x", "other.x < Most", "time() > 50", "size(other.l) > 1",
                     'anyMatch({[a = 1]}, target.a == other.x)', 'member("b", other.l)', "eval(\"other.x\") == 1"]))
expressions = st.lists(atoms, min_size=1, max_size=3).map(" && ".join)
computing = st.builds(
    ce, st.sampled_from("abcdef"), x=st.one_of(st.none(), figures), y=st.one_of(st.none(), figures, st.just("text")),
    l=st.sampled_from([None, ["a"], ["a", "b"]]), GlueCEAccessControlBaseRule=st.sampled_from([None, ["VO:cms"]]),
    GlueCEStateStatus=st.sampled_from(["Production", "Closed", None]))
markets = st.builds(lambda ces: market(*ces), st.lists(computing, max_size=6, unique_by=lambda entry: entry.id))
more = st.sampled_from(["", "Most = 2;", f'SubmitTo = "{name("a")}";', 'InputData = {"lfn:a"}; '
                        'DataAccessProtocol = "gsiftp";', "Most = other.y;"])
ranks = st.sampled_from(["0", "other.x", "2 * other.x - other.y", "other.y + time()"])
requests = st.builds(job, expressions, ranks, more=more,
                     previous=st.sampled_from([(), ("a.org",), ("B.org", "c.org")]))


def told(board: Board, request: Request, now: float) -> list[Any]:
    fit = board.fit(Keys(SITE).key(request), request)
    return fit.ranked(fit.mask(now), now)


@given(st.lists(requests, min_size=1, max_size=4), st.lists(markets, min_size=1, max_size=4))
@settings(max_examples=examples(50), deadline=None)
def test_the_board_agrees_with_match_whatever_was_shown_before(jobs: list[Request], shown: list[Snapshot]) -> None:
    board = Board(SITE)
    for number, snapshot in enumerate(shown):
        board.show(replace(snapshot, version=number + 1))
        for now in (40.0, 60.0):
            for one in jobs:
                assert told(board, one, now) == list(match(one, board.snapshot, now, SITE).ranked)


@given(requests, requests, markets)
@settings(max_examples=examples(50), deadline=None)
def test_equal_keys_are_equal_matches(one: Request, other: Request, snapshot: Snapshot) -> None:
    if Keys(SITE).key(one) == Keys(SITE).key(other):
        assert match(one, snapshot, 40.0).ranked == match(other, snapshot, 40.0).ranked


def many(changed: int = -1) -> Snapshot:
    return market(*(ce(f"h{n:03}", x=n % 5 if n != changed else 77, y=n, z=n % 5) for n in range(200)))


@pytest.mark.parametrize("wanted", ["other.x >= 2", "other.y >= 20", "size(string(other.x)) == 1"])
def test_a_ce_that_changes_is_looked_at_again_and_only_it(wanted: str) -> None:
    board, request = Board(SITE), job(wanted, "other.x")
    for changed in (-1, 17, 18, -1):
        board.show(many(changed))
        assert told(board, request, 0.0) == list(match(request, board.snapshot, 0.0).ranked)
    assert places(board.changed) == [board.places[name("h018")]]


def test_the_best_are_those_of_the_highest_rank_by_id() -> None:
    board, request = Board(SITE), job("other.x >= 2", "other.x")
    board.show(many())
    fit = board.fit("c", request)
    best = fit.best(fit.mask(0.0), 0.0)
    assert best is not None
    assert best.rank == 4
    assert [board.ces[place].id for place in best.places] == [name(f"h{n:03}") for n in range(4, 200, 5)]
    assert fit.best(fit.mask(0.0), 0.0) is best


def test_nothing_is_best_where_no_rank_is_a_number() -> None:
    board, request = Board(SITE), job(rank="other.none")
    board.show(many())
    fit = board.fit("c", request)
    assert fit.best(fit.mask(0.0), 0.0) is None


def test_an_entry_that_ended_is_not_believed() -> None:
    board, request = Board(SITE), job()
    board.show(market(ce("a"), lifetime_s=60))
    assert [len(told(board, request, now)) for now in (59.0, 60.0)] == [1, 0]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("answers.MOST_ANSWERS", "answers.MOST_RANKS", "answers.MOST_FIGURES", "board.MOST_FITS"):
        monkeypatch.setattr(f"wm.matching.{limit}", 3)
    board, jobs = Board(SITE), [job(f"other.x >= {n}", f"other.y * {n} - other.{'xyzw'[n]}") for n in range(4)]
    board.show(many())
    for one in jobs * 2:
        assert told(board, one, 0.0) == list(match(one, board.snapshot, 0.0).ranked)
    assert answers.MOST_RANKS == 3
    assert not board.knows("c")


def test_ranks_that_were_not_asked_for_longest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wm.matching.answers.MOST_RANKS", 500)
    board = Board(SITE)
    board.show(many())
    for n in range(9):
        one = job("other.x >= 2 && other.z < 9", f"other.y * {n}")
        assert told(board, one, 0.0) == list(match(one, board.snapshot, 0.0).ranked)


def test_the_same_snapshot_again_changes_nothing() -> None:
    board, here = Board(SITE), many()
    board.show(here)
    serial = board.serial
    board.show(here)
    board.show(replace(here))
    assert (board.serial, board.mask([name("h001"), "nobody"]).bit_count()) == (serial, 1)
