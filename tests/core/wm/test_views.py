"""Views of a CE that only some users have: matched as elements of their own, told to jobs as the CE."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_builders import ce, job, market, name

from tests.examples import examples
from wm.matching.board import Board
from wm.matching.matchmaker import match
from wm.matching.planner import unknown_pin
from wm.matching.request import site
from wm.supply.purchasers import Entry

ATLAS, CMS = f"{name('a')}/atlas", f"{name('a')}/cms"


def view(id: str, **glue: Any) -> Entry:
    said = ce("a", **glue)
    return Entry(id, said.attributes, said.backend, said.queue, name("a"))


def test_a_ce_with_two_views_that_match_is_one_destination_with_the_better_rank() -> None:
    found = match(job(rank="other.Free"), market(view(ATLAS, Free=2), view(CMS, Free=7), ce("b", Free=5)))
    assert [one.ce.id for one in found.ranked] == [CMS, name("b"), ATLAS]
    assert found.destinations == ((name("a"), 7.0), (name("b"), 5.0))


@pytest.mark.parametrize(("pin", "found"), [(name("a"), [ATLAS]), (ATLAS, []), (name("b"), [name("b")])])
def test_a_job_is_pinned_to_the_ce_and_goes_by_the_view_that_takes_it(pin: str, found: list[str]) -> None:
    snapshot = market(view(ATLAS, Mine=True), view(CMS, Mine=False), ce("b", Mine=True))
    request, rules = job(more=f'SubmitTo = "{pin}"'), site({"mine": "other.Mine"})
    assert [one.ce.id for one in match(request, snapshot, site=rules).ranked] == found
    assert unknown_pin(request, snapshot) == ("" if found else ATLAS)
    assert match(request, snapshot, site=rules).tallies[0].seen == 3


@given(st.lists(st.sampled_from(["a", "b", ATLAS, CMS]), unique=True, max_size=4),
       st.sampled_from(["", name("a"), name("b"), ATLAS]))
@settings(max_examples=examples(100), deadline=None)
def test_the_broker_and_the_question_find_the_same(ids: list[str], pin: str) -> None:
    snapshot = market(*(view(id) if id in (ATLAS, CMS) else ce(id) for id in ids))
    request, rules = job(more=f'SubmitTo = "{pin}"' if pin else ""), site({})
    board = Board(rules)
    board.show(snapshot)
    mask = board.fit("c", request).mask(0)
    assert {board.ces[place].id for place in range(len(board.ces)) if mask >> place & 1} == {
        one.ce.id for one in match(request, snapshot, site=rules).ranked}
