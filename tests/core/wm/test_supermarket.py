"""What the sources say, merged."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm.supply.purchasers import Entry, Purchase
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket, changed

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


# -- properties ------------------------------------------------------------------------------------------

attributes = st.dictionaries(st.sampled_from(["GlueCEStateStatus", "GlueCEStateFreeJobSlots", "a", "b"]),
                             st.integers(0, 3), max_size=3)
entries = st.builds(Entry, st.sampled_from(["a:1/a", "b:1/b", "c:1/c"]), attributes,
                    st.sampled_from(["", "x", "y"]), st.just("q"))
purchases = st.builds(Purchase, st.lists(entries, max_size=3, unique_by=lambda entry: entry.id).map(tuple))
sources = st.sampled_from([Source(f"{kind}-{life}", kind, life) for kind in Kind for life in (10, 20)])
told = st.lists(st.tuples(sources, purchases), max_size=6, unique_by=lambda one: one[0].name)


@given(told, st.randoms(use_true_random=False), st.sampled_from([0, 10, 20]))
@settings(max_examples=60, deadline=None)
def test_the_order_in_which_sources_speak_does_not_matter(
        told: list[tuple[Source, Purchase]], rng: Any, now: float) -> None:
    shuffled = list(told)
    rng.shuffle(shuffled)
    assert market(*told).snapshot(now) == market(*shuffled).snapshot(now)


@given(told, told)
@settings(max_examples=50, deadline=None)
def test_the_version_stands_still_exactly_when_nothing_changed(
        told: list[tuple[Source, Purchase]], later: list[tuple[Source, Purchase]]) -> None:
    first = market(*told).snapshot(0)
    second = market(*told, *later).snapshot(0, first)
    assert (second.version == first.version) == (not changed(first, second) and first.void == second.void)


@given(told)
@settings(max_examples=50, deadline=None)
def test_every_word_of_a_live_source_is_there_or_outranked(told: list[tuple[Source, Purchase]]) -> None:
    ces = market(*told).snapshot(0).ces
    said = {(entry.id, name, value) for _, purchase in told for entry in purchase.ces
            for name, value in entry.attributes.items()}
    kept = {(ce.id, name, value) for ce in ces.values() for name, value in ce.attributes.items()
            if name not in ("GlueCEUniqueID", "GlueCEInfoHostName")}
    assert kept <= said
    assert {(id, name) for id, name, _ in kept} == {(id, name) for id, name, _ in said}
