"""What the service itself says of CEs: laid over snapshots, listed, and measured."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wm.matching.board import Board
from wm.matching.explain import clauses, no_match
from wm.matching.matchmaker import UNDRAINED, match
from wm.matching.request import SITE, Request
from wm.supply.listing import chosen, detail, summary
from wm.supply.measures import Figures, Measure, Measures, Seen, figures
from wm.supply.own import Drain, Overlay, draining, drains_of, shown
from wm.supply.purchasers import Entry, Purchase, modest
from wm.supply.supermarket import EMPTY, Kind, Snapshot, Source, Supermarket
from wms.jdl.described import described

NOW = 1_700_000_000.0
A, B = "a.org:2119/jobmanager-x-q", "b.org:2119/jobmanager-x-q"
VIEW = A + "/atlas"


def said(*entries: Entry, before: Snapshot = EMPTY, at: float = NOW) -> Snapshot:
    return Supermarket().updated(Source("s", Kind.BACKEND, 60.0), Purchase(entries), at).snapshot(at, before)


def entry(id: str, base: str = "", **told: Any) -> Entry:
    return Entry(id, {"GlueCEStateStatus": "Production", "GlueCEStateEstimatedResponseTime": 10, **told},
                 id.partition(".")[0], "q", base)


def drain(ce: str, reason: str = "why") -> Drain:
    return Drain(ce, reason, "/CN=a", NOW)


def request(jdl: str = "") -> Request:
    return Request("j", described(f'Executable = "/bin/true"; {jdl}'), "/CN=u")


# -- drains ----------------------------------------------------------------------------------------------


def test_a_drain_is_of_an_id_a_view_or_a_backend() -> None:
    snapshot = said(entry(A), entry(VIEW, base=A), entry(B))
    rows = {name: drain(name) for name in (VIEW, A, "b")}
    of = {id: [one.ce for one in drains_of(ce, rows)] for id, ce in snapshot.ces.items()}
    assert of == {A: [A], VIEW: [VIEW, A], B: ["b"]}
    assert draining([]) == {}
    assert draining([drain(A, "one"), drain("a", "two")]) == {"WmsDrained": "one; two"}


def test_a_drained_ce_is_shown_draining() -> None:
    assert shown({"GlueCEStateStatus": "Production"}) == {"GlueCEStateStatus": "Production"}
    assert shown({"WmsDrained": "x"}) == {"WmsDrained": "x", "GlueCEStateStatus": "Draining"}
    assert shown({"WmsDrained": "x", "GlueCEStateStatus": "Closed"}) == {
        "WmsDrained": "x", "GlueCEStateStatus": "Draining", "WmsPublishedStatus": "Closed"}


def test_an_overlay_shares_what_did_not_change() -> None:
    overlay, raw = Overlay(), said(entry(A), entry(B))
    assert overlay.over(raw, {}) is raw
    words = {A: {"WmsDrained": "x", "gluecestateestimatedresponsetime": 99}}
    first = overlay.over(raw, words)
    assert first.version == raw.version + 1
    assert first.ces[B] is raw.ces[B]
    assert first.ces[A].prepared["gluecestateestimatedresponsetime"] == 99
    assert [name for name in first.ces[A].attributes if name.casefold().endswith("responsetime")] == [
        "gluecestateestimatedresponsetime"]
    later = said(entry(A), entry(B), before=raw, at=NOW + 5)
    again = overlay.over(later, {A: dict(words[A])})
    assert again.ces[A].attributes is first.ces[A].attributes
    assert (again.ces[A].updated, again.version) == (NOW + 5, first.version)
    without = overlay.over(later, {})
    assert without.version == again.version + 1
    assert without.ces[A] is later.ces[A]


def test_where_it_comes_from_is_told() -> None:
    snapshot = Overlay().over(said(entry(A), entry(B)), {A: {"WmsDrained": "x"}})
    assert [(one.name, one.source, one.kind) for one in snapshot.origins(A)][-1] == ("WmsDrained", "wms", "own")
    assert all(one.kind == "backend" for one in snapshot.origins(B))
    assert snapshot.origins("nobody") == ()


def test_a_source_cannot_speak_for_the_service() -> None:
    honest = Purchase((entry(B),))
    assert modest(honest) is honest
    (one, other) = modest(Purchase((entry(A, WMSDrained="x", wmsSuccessRate=1.0), entry(B)))).ces
    assert set(one.attributes) == set(other.attributes)


@given(st.frozensets(st.sampled_from([A, B, VIEW, "a", "b"])), st.booleans())
def test_nobody_goes_to_a_drained_ce_by_either_way_of_matching(names: frozenset[str], pinned: bool) -> None:
    raw, rows = said(entry(A), entry(VIEW, base=A), entry(B)), {name: drain(name) for name in names}
    overlay = {id: words for id, ce in raw.ces.items() if (words := draining(drains_of(ce, rows)))}
    snapshot = Overlay().over(raw, overlay)
    one = request(f'SubmitTo = "{A}";' if pinned else 'Requirements = other.GlueCEStateStatus == "Production";')
    found = match(one, snapshot, NOW)
    ids = {best.ce.id for best in found.ranked}
    assert ids == {best.ce.id for best in match(one, raw, NOW).ranked} - overlay.keys()
    board = Board(SITE)
    board.show(raw)
    before = board.fit("c", one).mask(NOW)
    board.show(snapshot)
    mask = board.fit("c", one).mask(NOW)
    assert {board.ces[place].id for place in range(len(board.ces)) if mask >> place & 1} == ids
    board.show(raw)
    assert board.fit("c", one).mask(NOW) == before
    told = clauses(found)
    assert next(clause for clause in told if clause.clause == UNDRAINED).alone == 3 - len(overlay)
    if not ids:
        assert no_match(found, told).code == "drained"


# -- lists -----------------------------------------------------------------------------------------------


def test_a_summary_has_what_is_known() -> None:
    snapshot = Overlay().over(said(entry(A, GlueCEInfoTotalCPUs="many", GlueCEStateStatus=7), entry(B)), {
        B: {"WmsDrained": "x", "WmsMeasuredEnds": 3.0, "WmsSuccessRate": 0.5, "WmsPublishedResponseTime": 4}})
    bare = summary(snapshot.ces[A], {}, {A: 2}, NOW + 3)
    assert (bare.slots, bare.state, bare.published_state, bare.measured, bare.aside, bare.age_s) == (
        None, "", "", None, 2, 3.0)
    rich = summary(snapshot.ces[B], {"b": drain("b")}, {}, NOW)
    assert (rich.state, rich.published_state, rich.response_s, rich.published_response_s) == (
        "Draining", "Production", 10, 4)
    assert rich.expires == NOW + 60
    assert rich.measured is not None
    assert rich.measured.success == 0.5
    assert [one.reason for one in rich.drained] == ["why"]
    told = {one.name: (one.value, one.kind) for one in detail(snapshot, rich, {"condition": "answers"}, NOW).attributes}
    assert (told["GlueCEStateStatus"], told["WmsPublishedStatus"]) == (("Draining", "own"), ("Production", "backend"))


def test_what_never_expires_has_no_time() -> None:
    for_ever = Supermarket().updated(Source("s", Kind.STATIC), Purchase((entry(A),)), NOW).snapshot(NOW)
    assert summary(for_ever.ces[A], {}, {}, NOW).expires == 0.0


@pytest.mark.parametrize(("name", "ids"), [("", [A, VIEW, B]), (A, [A, VIEW]), ("b", [B]), ("c", []), (VIEW, [VIEW])])
def test_a_name_is_about_an_id_with_its_views_or_a_backend(name: str, ids: list[str]) -> None:
    assert [ce.id for ce in chosen(said(entry(A), entry(VIEW, base=A), entry(B)), name)] == ids


# -- measures --------------------------------------------------------------------------------------------


def test_old_jobs_count_less() -> None:
    one = Measure().after(Seen(A, NOW, queue_s=100), 3600).after(Seen(A, NOW + 3600, queue_s=10), 3600)
    assert one == Measure(NOW + 3600, 1.5, 60.0, recent=(100.0, 10.0))
    assert one.aged(NOW, 3600) == one
    assert figures(one) == Figures(2.0, 40.0, 100.0)
    assert figures(one).words() == {"WmsMeasuredJobs": 2.0, "WmsMeasuredQueueTime": 40.0,
                                    "WmsMeasuredQueueTime90": 100.0}


def test_ends_make_a_rate() -> None:
    one = Measure()
    for number in range(4):
        one = one.after(Seen(A, NOW, good=number > 0), 3600)
    assert figures(one).words() == {"WmsMeasuredEnds": 4.0, "WmsSuccessRate": 0.75}
    assert figures(Measure()) == Figures()


@given(st.lists(st.floats(-5, 1e6), min_size=1, max_size=80), st.floats(60, 1e6))
def test_figures_are_within_what_was_seen(waits: list[float], half_life_s: float) -> None:
    one = Measure()
    for number, wait in enumerate(waits):
        one = one.after(Seen(A, NOW + number, queue_s=wait), half_life_s)
    told, seen = figures(one), [max(0.0, wait) for wait in waits]
    assert 0 <= told.queue_s <= 1.06 * max(seen)
    assert told.queue90_s <= 1.06 * max(seen[-50:])
    assert 0 < one.jobs <= len(waits) * (1 + 1e-9)
    assert len(one.recent) == min(len(waits), 50)


def test_enough_of_them_make_the_estimate() -> None:
    snapshot = said(entry(A), Entry(B, {"GlueCEStateStatus": "Production"}))
    measures = Measures(3600, 10)
    assert not measures
    measures.add(Seen(ce, NOW, queue_s=120) for ce in (A, B) for _ in range(9))
    assert measures.refresh(NOW)
    assert not measures.refresh(NOW + 1)
    assert "GlueCEStateEstimatedResponseTime" not in measures.words(snapshot.ces[A])
    measures.add(Seen(ce, NOW, queue_s=120) for ce in (A, B) for _ in range(11))
    measures.refresh(NOW)
    told = measures.words(snapshot.ces[A])
    assert (told["GlueCEStateEstimatedResponseTime"], told["WmsPublishedResponseTime"]) == (83, 10)
    assert measures.words(snapshot.ces[B])["GlueCEStateEstimatedResponseTime"] == 120
    never = Measures(3600, 0)
    never.add([Seen(A, NOW, queue_s=120)])
    never.refresh(NOW)
    assert "GlueCEStateEstimatedResponseTime" not in never.words(snapshot.ces[A])
    assert never.words(snapshot.ces[B]) == {}
    never.refresh(NOW + 3600 * 10)
    assert (never.measures, bool(never)) == ({}, False)
