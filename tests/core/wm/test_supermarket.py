"""What the sources say, merged."""

from __future__ import annotations

from dataclasses import replace
from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Origin, Snapshot, Source, Supermarket, changed

CE = "ce.example.org:8443/jobmanager-local-short"
SELF = Source("local-1", Kind.BACKEND, 60)
BDII = Source("bdii", Kind.DIRECTORY, 300)
FILE = Source("ces.yaml", Kind.STATIC)


def says(id: str = CE, backend: str = "", queue: str = "", **attributes: Any) -> Purchase:
    return Purchase(ces=(Entry(id, attributes, backend, queue),))


def stores(id: str, **attributes: Any) -> Purchase:
    return Purchase(ses=(Entry(id, attributes),))


def market(*told: tuple[Source, Purchase], now: float = 0) -> Supermarket:
    result = Supermarket()
    for source, purchase in told:
        result = result.updated(source, purchase, now)
    return result


def test_a_ce_is_known_with_its_id_and_host() -> None:
    ce = market((FILE, says(GlueCEPolicyMaxCPUTime=720))).snapshot(5).ces[CE]
    assert dict(ce.attributes) == {"GlueCEPolicyMaxCPUTime": 720, "GlueCEUniqueID": CE,
                                   "GlueCEInfoHostName": "ce.example.org"}
    assert (ce.host, ce.source, ce.updated, ce.expires) == ("ce.example.org", "ces.yaml", 0, inf)


def test_names_count_without_case_and_single_values_become_lists() -> None:
    said = says(glueceinfohostname="h", glueceaccesscontrolbaserule="VO:cms", gluecestatestatus="Closed")
    ce = market((FILE, said)).snapshot(0).ces[CE]
    assert ce.host == "h"
    assert ce.attributes["GlueCEAccessControlBaseRule"] == ["VO:cms"]
    assert ce.prepared["gluecestatestatus"] == "Closed"


def test_the_ce_itself_is_trusted_for_its_state_and_the_file_for_the_rest() -> None:
    ce = market(
        (SELF, says(GlueCEStateStatus="Draining", GlueCEPolicyMaxCPUTime=1)),
        (BDII, says(gluecestatestatus="Queueing", GlueCEPolicyMaxCPUTime=2, GlueCEInfoLRMSType="slurm")),
        (FILE, says(GlueCEStateStatus="Production", GlueCEPolicyMaxCPUTime=3, GlueCEStateWaitingJobs=4)),
    ).snapshot(0).ces[CE]
    told = {name.lower(): value for name, value in ce.attributes.items()}
    assert told | {"gluecestatestatus": "Draining", "gluecepolicymaxcputime": 3, "gluecestatewaitingjobs": 4,
                   "glueceinfolrmstype": "slurm"} == told
    assert ce.source == "bdii, ces.yaml, local-1"


def test_of_two_sources_of_one_kind_the_first_by_name_has_the_last_word() -> None:
    other = Source("another", Kind.STATIC)
    assert market((other, says(a=1)), (FILE, says(a=2))).snapshot(0).ces[CE].attributes["a"] == 1


def test_the_file_binds_a_ce_before_its_backend_does() -> None:
    both = market((SELF, says(backend="local-1", queue="short")), (FILE, says(backend="local-2", queue="q")))
    assert [(ce.backend, ce.queue) for ce in both.snapshot(0).ces.values()] == [("local-2", "q")]
    silent = market((SELF, says(backend="local-1", queue="short")), (FILE, says()))
    assert [(ce.backend, ce.queue) for ce in silent.snapshot(0).ces.values()] == [("local-1", "short")]


def test_a_silent_source_is_forgotten_in_time() -> None:
    both = market((SELF, says(GlueCEStateStatus="Production")), (FILE, says(GlueCEPolicyMaxCPUTime=3)))
    before, after = both.snapshot(59.9), both.snapshot(60)
    assert "GlueCEStateStatus" in before.ces[CE].attributes
    assert "GlueCEStateStatus" not in after.ces[CE].attributes
    assert (before.expires, after.expires, before.ces[CE].expires) == (60, inf, 60)


def test_a_ce_of_which_nobody_speaks_is_void() -> None:
    snapshot = market((SELF, says())).snapshot(60)
    assert (dict(snapshot.ces), snapshot.void) == ({}, {CE})


def test_a_source_replaces_all_that_it_said_before() -> None:
    snapshot = market((SELF, says("a:1/a")), (SELF, says("b:1/b"))).snapshot(0)
    assert (list(snapshot.ces), snapshot.void) == (["b:1/b"], frozenset())


def test_a_source_out_of_the_configuration_says_nothing() -> None:
    assert market((SELF, says())).without("local-1") == Supermarket()


def test_storage_elements_are_merged_too() -> None:
    ses = market((FILE, stores("se", size=1, GlueSEName="x")), (BDII, stores("se", size=2))).snapshot(0).ses
    assert ses["se"].attributes == {"size": 1, "GlueSEName": "x"}


# -- what changed ----------------------------------------------------------------------------------------


def test_nothing_new_keeps_the_version_and_the_prepared_record() -> None:
    first = market((SELF, says(a=1))).snapshot(0)
    again = market((SELF, says(a=1)), now=30).snapshot(30, first)
    assert (again.version, changed(first, again)) == (first.version, frozenset())
    assert again.ces[CE].prepared is first.ces[CE].prepared
    assert again.ces[CE].expires == 90


@pytest.mark.parametrize("new", [
    says(a=2), says(a=1, b=1), says(backend="x", a=1), Purchase()])
def test_what_comes_goes_or_differs_is_changed(new: Purchase) -> None:
    first = market((SELF, says(a=1))).snapshot(0)
    second = market((SELF, new)).snapshot(0, first)
    assert changed(first, second) == {CE} == changed(second, first)
    assert second.version == first.version + 1


def test_new_storage_is_a_new_version_although_no_ce_changed() -> None:
    first = market((SELF, says())).snapshot(0)
    second = market((SELF, says()), (FILE, stores("se"))).snapshot(0, first)
    assert (second.version - first.version, changed(first, second)) == (1, frozenset())


def test_an_empty_market_is_the_empty_snapshot() -> None:
    assert Supermarket().snapshot(0) == EMPTY == Snapshot()


# -- where it comes from ---------------------------------------------------------------------------------


def test_of_each_attribute_one_can_ask_who_said_it_and_when() -> None:
    told = (market((SELF, says(GlueCEStateStatus="Draining", a=1)), now=5)
            .updated(FILE, says(a=2), 7).updated(BDII, stores("se", size=1), 9).snapshot(10))
    assert told.origins(CE) == (
        Origin("GlueCEStateStatus", "Draining", "local-1", Kind.BACKEND, 5), Origin("a", 2, "ces.yaml", Kind.STATIC, 7))
    assert told.origins("se") == (Origin("size", 1, "bdii", Kind.DIRECTORY, 9),)
    assert told.origins("nowhere") == ()


# -- views -----------------------------------------------------------------------------------------------

VIEW = f"{CE}/cms"
PUBLISHED = Purchase(ces=(
    Entry(CE, {"GlueCEAccessControlBaseRule": ["VO:atlas"], "GlueCEStateFreeJobSlots": 1, "size": 8}),
    Entry(VIEW, {"GlueCEAccessControlBaseRule": ["VO:cms"], "GlueCEStateFreeJobSlots": 2, "size": 8}, base=CE)))


def test_what_is_said_of_a_ce_holds_for_its_views_but_for_who_may_use_them() -> None:
    site = says(backend="farm", queue="q", size=9, GlueCEAccessControlBaseRule="VO:x")
    told = market((BDII, PUBLISHED), (FILE, site), (SELF, says(GlueCEStateFreeJobSlots=7))).snapshot(0)
    base, view = told.ces[CE], told.ces[VIEW]
    assert (view.backend, view.queue, view.base, view.destination) == ("farm", "q", CE, CE)
    assert (base.base, base.destination) == ("", CE)
    assert view.attributes | {"GlueCEUniqueID": CE, "size": 9, "GlueCEStateFreeJobSlots": 7,
                              "GlueCEAccessControlBaseRule": ["VO:cms"]} == view.attributes
    assert base.attributes["GlueCEAccessControlBaseRule"] == ["VO:x"]
    assert told.by_destination == {CE: (base, view)}


def test_news_of_a_ce_are_news_of_its_views() -> None:
    before = market((BDII, PUBLISHED), (SELF, says(GlueCEStateFreeJobSlots=7)))
    first = before.snapshot(0)
    assert changed(first, before.updated(SELF, says(GlueCEStateFreeJobSlots=8), 1).snapshot(1, first)) == {CE, VIEW}
    again = before.updated(SELF, says(GlueCEStateFreeJobSlots=7), 9).snapshot(9, first)
    assert (changed(first, again), again.ces[VIEW].updated, again.version) == (frozenset(), 9, first.version)


# -- only what changed -----------------------------------------------------------------------------------


def test_what_did_not_change_is_the_same_object() -> None:
    before = market((SELF, says("a:1/a", x=1)), (BDII, says("b:1/b", x=1)))
    first = before.snapshot(0)
    second = before.updated(SELF, says("a:1/a", x=2), 1).snapshot(1, first)
    assert second.ces["b:1/b"] is first.ces["b:1/b"]
    assert second.ses is first.ses
    third = second.version, before.updated(SELF, says("a:1/a", x=2), 2).snapshot(2, second)
    assert (third[1].version, third[1].ces["a:1/a"].attributes is second.ces["a:1/a"].attributes) == (third[0], True)


def test_new_storage_is_news_of_the_ces_that_are_close_to_it() -> None:
    near = says("a:1/a", GlueCESEBindGroupSEUniqueID=["se"])
    before = market((SELF, near), (BDII, says("b:1/b")), (FILE, stores("se", size=1)))
    first = before.snapshot(0)
    second = before.updated(FILE, stores("se", size=2), 1).snapshot(1, first)
    assert changed(first, second) == {"a:1/a"}
    assert second.ces["a:1/a"].attributes["storage"] == {"CloseSEs": [{"size": 2}]}
    assert second.ces["a:1/a"].prepared["storage"]["closeses"] == [{"size": 2}]
    third = before.updated(FILE, Purchase(), 2).snapshot(2, second)
    assert (changed(second, third), dict(third.ses)) == ({"a:1/a"}, {})


def test_storage_that_says_the_same_again_is_as_it_was() -> None:
    first = market((FILE, stores("se", size=1)), (BDII, stores("se", size=1))).snapshot(0)
    second = market((FILE, stores("se", size=1)), (BDII, Purchase())).snapshot(5, first)
    assert second.ses["se"].attributes is first.ses["se"].attributes
    assert second.version == first.version


# -- properties ------------------------------------------------------------------------------------------

NAMES = ["GlueCEStateStatus", "GlueCEStateFreeJobSlots", "GlueCEAccessControlBaseRule", "a", "b"]
attributes = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 3), max_size=3)
close = st.sampled_from([{}, {"GlueCESEBindGroupSEUniqueID": ["se"]}, {"GlueCESEBindGroupSEUniqueID": ["se", "no"]}])
entries = st.builds(lambda id, told, near, backend: Entry(id, told | near, backend, "q"),
                    st.sampled_from(["a:1/a", "b:1/b", "c:1/c"]), attributes, close, st.sampled_from(["", "x", "y"]))
views = st.builds(lambda told: Entry("a:1/a/view", told, base="a:1/a"), attributes)
stored = st.builds(lambda told: Entry("se", told), attributes)
purchases = st.builds(lambda ces, special, ses: Purchase(tuple(ces) + tuple(special), tuple(ses)),
                      st.lists(entries, max_size=3, unique_by=lambda entry: entry.id), st.lists(views, max_size=1),
                      st.lists(stored, max_size=1))
sources = st.sampled_from([Source(f"{kind}-{life}", kind, life) for kind in Kind for life in (10, 20)])
told = st.lists(st.tuples(sources, purchases), max_size=6, unique_by=lambda one: one[0].name)


@given(told, st.randoms(use_true_random=False), st.sampled_from([0, 10, 20]))
@settings(max_examples=examples(60), deadline=None)
def test_the_order_in_which_sources_speak_does_not_matter(
        told: list[tuple[Source, Purchase]], rng: Any, now: float) -> None:
    shuffled = list(told)
    rng.shuffle(shuffled)
    assert market(*told).snapshot(now) == market(*shuffled).snapshot(now)


@given(told, told, st.sampled_from([0, 10, 15]))
@settings(max_examples=examples(100), deadline=None)
def test_an_update_gives_what_a_rebuild_gives(
        told: list[tuple[Source, Purchase]], later: list[tuple[Source, Purchase]], now: float) -> None:
    before = market(*told)
    first, after = before.snapshot(0), before
    for source, purchase in later:
        after = after.updated(source, purchase, 5)
    updated, rebuilt = after.snapshot(now, first), after.snapshot(now)
    assert replace(updated, version=0) == replace(rebuilt, version=0)
    assert {id: ce.prepared for id, ce in updated.ces.items()} == {id: ce.prepared for id, ce in rebuilt.ces.items()}
    assert changed(first, updated) == {
        id for id in first.ces.keys() | rebuilt.ces.keys() if _content(first, id) != _content(rebuilt, id)}


def _content(snapshot: Snapshot, id: str) -> object:
    ce = snapshot.ces.get(id)
    return ce and (ce.attributes, ce.backend, ce.queue, ce.base)


@given(told, told)
@settings(max_examples=examples(50), deadline=None)
def test_the_version_stands_still_exactly_when_nothing_changed(
        told: list[tuple[Source, Purchase]], later: list[tuple[Source, Purchase]]) -> None:
    first = market(*told).snapshot(0)
    second = market(*told, *later).snapshot(0, first)
    same_storage = {id: se.attributes for id, se in first.ses.items()} == {
        id: se.attributes for id, se in second.ses.items()}
    still = not changed(first, second) and first.void == second.void and same_storage
    assert (second.version == first.version) == still


@given(told)
@settings(max_examples=examples(50), deadline=None)
def test_every_word_of_a_live_source_is_there_or_outranked(told: list[tuple[Source, Purchase]]) -> None:
    snapshot = market(*told).snapshot(0)
    said = {(entry.id, name) for _, purchase in told for entry in purchase.ces for name in entry.attributes}
    said |= {("a:1/a/view", name) for id, name in said if id == "a:1/a" and "a:1/a/view" in snapshot.ces}
    kept = {(ce.id, name) for ce in snapshot.ces.values() for name in ce.attributes
            if name not in ("GlueCEUniqueID", "GlueCEInfoHostName", "storage")}
    assert kept == said
    for id in snapshot.ces:
        spoken = {(source.name, name, str(value)) for source, purchase in told for entry in purchase.ces
                  if entry.id in (id, snapshot.ces[id].destination) for name, value in entry.attributes.items()}
        assert {(one.source, one.name, str(one.value)) for one in snapshot.origins(id)} <= spoken


@pytest.mark.parametrize("id", ["c" * 256, "ce\0.example.org"])
def test_a_name_that_no_table_can_hold_is_not_known(id: str) -> None:
    here = market((FILE, Purchase(ces=(Entry(id, {}), Entry("view", {}, base="c" * 255), Entry("c" * 255, {})))))
    assert here.snapshot(0).ces.keys() == {"view", "c" * 255}
