"""Decisions as bytes: what was kept gives the same decision to the last bit, whatever the way of its resources."""

from __future__ import annotations

import zlib
from dataclasses import replace
from math import inf

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name
from test_classes import computing, requests

from tests.examples import examples
from wm.matching.board import Board
from wm.matching.cycle import Cause, Outcome, Placement, Why
from wm.matching.inputs import Decision, Inputs, Rules, decide
from wm.matching.replicas import Replicas
from wm.matching.request import SITE, Request
from wm.ordering.order import Lane
from wm.ordering.quotas import Held
from wm.ordering.shares import Running, Use
from wm.replay import shelves
from wm.replay.exports import FORM, Whole, exported, imported
from wm.replay.records import Scribe, difference, read_outcome, read_record, replayed, told
from wm.replay.shelves import Shelf, base_of, chain_of, is_named, restored, shelved, silent
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket
from wms.errors import Refused
from wms.jdl.described import described

RULES = Rules({"user:*": 30}, {"atlas": 0.3}, 3600.0)


def real(request: Request, replicas: Replicas) -> Request:
    """As the Workload Manager makes it of the submitted text."""
    return replace(request, description=described(request.jdl), replicas=replicas)


def made(inputs: Inputs, jobs: dict[str, Request], snapshot: Snapshot) -> Decision:
    board = Board(SITE)
    board.show(snapshot)
    outcome = decide(inputs, RULES, board, lambda lane: board.fit(lane.cls, jobs[lane.id]))
    return Decision(inputs, jobs, snapshot, outcome)


def whole(decision: Decision, pieces: list[tuple[str, bytes]]) -> Whole:
    return Whole(decision.inputs.id, *Scribe(SITE, RULES).packed(decision), tuple(pieces))


# -- any decision ----------------------------------------------------------------------------------------

ses = st.builds(lambda x: Entry("se.org", {"GlueSEAccessProtocolType": ["gsiftp"], "x": x}), st.integers(0, 2))
purchases = st.builds(lambda ces, ses: Purchase(tuple(ces), tuple(ses)),
                      st.lists(computing, max_size=6, unique_by=lambda entry: entry.id), st.lists(ses, max_size=1))
known = st.sampled_from([Replicas(), Replicas((("lfn:a", ("gsiftp://se.org/a",)),)),
                         Replicas((("lfn:a", ()),), unanswered=("lfn:a",))])
lanes = st.builds(Lane, st.just(""), st.just(""), st.sampled_from(["atlas", "cms"]),
                  st.sampled_from(["/CN=a", "/CN=b"]), st.integers(0, 1), st.integers(-1, 1), st.booleans(),
                  st.integers(1, 40), st.floats(0, 1e9), st.integers(0, 5))
counts = st.dictionaries(st.sampled_from([name(id) for id in "abc"]), st.integers(0, 3))
sets = st.dictionaries(st.sampled_from(["c0", "c1"]), st.frozensets(st.sampled_from([name(id) for id in "abc"])))
whos = st.tuples(st.sampled_from(["atlas", "cms"]), st.sampled_from(["/CN=a", "/CN=b", "/CN=c"]))
figures = st.floats(0, 1e12)
histories = st.lists(st.tuples(purchases, st.floats(0, 100)), min_size=1, max_size=5)


@st.composite
def asked(draw: st.DrawFn) -> tuple[Inputs, dict[str, Request]]:
    jobs = draw(st.lists(st.builds(real, requests, known), min_size=1, max_size=3))
    queue = [lane._replace(id=f"l{number}", cls=f"c{number % len(jobs)}")
             for number, lane in enumerate(draw(st.lists(lanes, max_size=5)))]
    inputs = Inputs(
        tuple(queue), 50.0, draw(st.integers(0, 2**64 - 1)),
        tuple(draw(st.lists(st.builds(Held, st.just("atlas"), st.just("/CN=a"), st.just(name("a")), st.integers(1, 9)),
                            max_size=2))),
        draw(st.dictionaries(whos, st.builds(Running, st.integers(0, 9), figures))),
        draw(st.dictionaries(whos, st.builds(Use, figures, st.floats(0, 60)))),
        draw(counts), draw(sets), draw(sets), draw(st.integers(0, 100)), draw(st.integers(1, 60)))
    return inputs, {lane.id: jobs[number % len(jobs)] for number, lane in enumerate(queue)}


def history(bought: list[tuple[Purchase, float]]) -> list[Snapshot]:
    """Snapshots one after the other, of words that may have expired when the decision is made."""
    source, seen, market = Source("s", Kind.STATIC, 60.0), [EMPTY], Supermarket()
    for purchase, at in bought:
        market = market.updated(source, purchase, at)
        seen.append(market.snapshot(at, seen[-1]))
    return seen[1:]


@given(asked(), histories, st.integers(1, 4))
@settings(max_examples=examples(60), deadline=None)
def test_what_was_kept_gives_the_same_decision(given: tuple[Inputs, dict[str, Request]],
                                               bought: list[tuple[Purchase, float]], chain: int) -> None:
    inputs, jobs = given
    shelf: Shelf | None = None
    kept: dict[str, bytes] = {}
    for snapshot in history(bought):
        shelf, content = shelved(snapshot, shelf if shelf and shelf.pieces < chain else None)
        kept.update({shelf.name: content} if content else {})
        decision = made(inputs, jobs, snapshot)
        names = [shelf.name]
        while base := base_of(kept[names[-1]]):
            names.append(base)
        file = exported(whole(decision, [(one, kept[one]) for one in reversed(names)]))
        record, again, outcome = imported(file).read()
        assert outcome == decision.outcome
        assert told(replayed(record, again)) == told(decision.outcome)
        assert record.inputs == inputs
        assert list(record.requests().values()) == list(jobs.values())


# -- shelves ---------------------------------------------------------------------------------------------


def updated(before: Snapshot, *ces: Entry) -> Snapshot:
    market = Supermarket(before.stocks)
    return market.updated(Source("ces.yaml", Kind.STATIC), Purchase(ces), 0).snapshot(0, before)


def test_only_what_changed_is_kept() -> None:
    many = [ce(f"h{number}", x=number) for number in range(100)]
    first = market(*many)
    full, content = shelved(first, None)
    second = updated(first, *many[1:], ce("new"))
    delta, change = shelved(second, full)
    assert len(change) < len(content) / 20
    assert (base_of(content), base_of(change), chain_of(delta.name)) == ("", full.name, chain_of(full.name))
    assert restored([content, change], ()).ces.keys() == second.ces.keys()
    assert restored([content, change], ()).ces[name("new")].attributes == second.ces[name("new")].attributes


def test_a_snapshot_that_says_the_same_is_not_kept_again() -> None:
    first = market(ce("a"), ce("b"))
    shelf, _ = shelved(first, None)
    assert shelved(first, shelf) == (shelf, b"")
    same, nothing = shelved(updated(first, ce("a"), ce("b")), shelf)
    assert (same.name, nothing) == (shelf.name, b"")
    assert shelved(market(ce("b"), ce("a")), None)[0].name == shelf.name


def test_equal_values_of_other_types_are_other_values() -> None:
    shelf, content = shelved(market(ce("a", x=1)), None)
    _, change = shelved(market(ce("a", x=True)), shelf)
    assert restored([content, change], ()).ces[name("a")].prepared["x"] is True


def test_a_chain_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelves, "CHAIN", 3)
    shelf, named, here = None, [], EMPTY
    for number in range(7):
        here = updated(here, *(ce(f"h{n}") for n in range(20)), ce("a", x=number))
        shelf, content = shelved(here, shelf)
        named.append(base_of(content) == "")
    assert named == [True, False, False, True, False, False, True]


def test_changes_larger_than_all_begin_a_new_chain() -> None:
    shelf, _ = shelved(market(ce("a", x=0)), None)
    begun = []
    for number in range(4):
        shelf, content = shelved(market(ce("a", x=number + 1)), shelf)
        begun.append(base_of(content) == "")
    assert True in begun


def test_who_is_silent() -> None:
    here = market(ce("a"), lifetime_s=10.0)
    assert [silent(here, 9.0), silent(here, 10.0)] == [(), (name("a"),)]
    _, content = shelved(here, None)
    assert restored([content], [name("a")]).ces[name("a")].expires == -inf
    assert restored([content], [name("a")]).expires == -inf


# -- exports ---------------------------------------------------------------------------------------------


def example() -> Whole:
    snapshot = market(ce("a"))
    shelf, content = shelved(snapshot, None)
    request = real(job(), Replicas())
    return whole(made(Inputs((Lane("l", "c", "atlas", "/CN=a"),), 0.0), {"l": request}, snapshot),
                 [(shelf.name, content)])


@pytest.mark.parametrize("content", [b"", b"text", zlib.compress(b"text"), exported(example())[:-3]])
def test_any_other_file_is_refused(content: bytes) -> None:
    with pytest.raises(Refused, match="no decision"):
        imported(content)


def test_another_form_and_what_is_damaged_are_refused() -> None:
    one = example()
    other = msgspec.structs.replace(one, form="wms decision 9")
    with pytest.raises(Refused, match=f"not '{FORM}'"):
        imported(exported(other))
    ((label, content),) = one.pieces
    assert is_named(label, content)
    with pytest.raises(Refused, match="is damaged"):
        msgspec.structs.replace(one, pieces=((label, content + b"x"),)).read()
    with pytest.raises(Refused, match="not in the form"):
        msgspec.structs.replace(one, record=b"x").read()


# -- what differs ----------------------------------------------------------------------------------------

KEPT = Outcome((Placement("l", "ce1", 2), Placement("m", "ce1", 1)), {"n": Cause(Why.QUOTA, 3, "vo:a")}, {"l": 1}, 1)


@pytest.mark.parametrize(("again", "words"), [
    (KEPT, ""),
    (replace(KEPT, placements=(Placement("l", "ce2", 2), KEPT.placements[1])),
     "placement 1: 2 of lane l to ce1, now 2 of lane l to ce2"),
    (replace(KEPT, placements=KEPT.placements[:1]), "2 placements, now 1"),
    (replace(KEPT, waits={"n": Cause(Why.MATCH)}), "lane n waits: quota vo:a (3 match), now no match (0 match)"),
    (replace(KEPT, waits={}), "lane n waits: quota vo:a (3 match), now no"),
    (replace(KEPT, served={"l": 2}), "lane l has its turn: number 1, now number 2"),
    (replace(KEPT, turn=2), "turn 1, now 2"),
])
def test_the_first_difference_is_named(again: Outcome, words: str) -> None:
    assert difference(KEPT, again) == words


def test_the_order_of_lanes_counts() -> None:
    one, other = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    assert difference(replace(KEPT, served=one), replace(KEPT, served=other)) == "the order of lanes"


def test_a_record_is_read_as_it_was_written() -> None:
    one = example()
    record = read_record(one.record)
    assert (record.rules, record.host, read_outcome(one.outcome).turn) == (RULES, SITE.host, 1)
    assert record.site() == SITE
