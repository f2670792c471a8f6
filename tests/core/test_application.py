"""What a payload says of its job: hostile texts arrive as they are, codes only grow, nobody says too much."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ns import application
from ns.application import MAX_COUNTER, Rate, application_event, next_code, pairs
from tests.examples import examples
from wms.errors import BadEvent, NotAllowedNow, NotPermitted
from wms.seqcode import SequenceCode

JOB = "https://lb.example.org:9000/abc"
LAST = str(SequenceCode(ui=1, ns=2, wm=3, lrms=4, app=5))

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30)


def body(given: dict[str, str]) -> bytes:
    return "".join(f"{name}\0{value}\0" for name, value in given.items()).encode()


@given(st.dictionaries(texts, texts, max_size=5))
@settings(max_examples=examples(200), deadline=None)
def test_pairs_come_back(found: dict[str, str]) -> None:
    assert pairs(body(found)) == found


@pytest.mark.parametrize("broken", [b"a", b"a\0", b"a\0b", b"a\0b\0a\0c\0", b"\xff\0b\0"])
def test_what_is_no_list_of_pairs_is_refused(broken: bytes) -> None:
    with pytest.raises(BadEvent):
        pairs(broken)


@given(texts.filter(bool), texts.filter(bool))
@settings(max_examples=examples(100), deadline=None)
def test_a_tag_is_kept_as_it_is(name: str, value: str) -> None:
    made = application_event(JOB, "/CN=a", LAST, {"name": name, "value": value, ":host": "wn1"}, 1.5)
    assert (made.type, made.source, made.user, made.host, made.timestamp) == (
        "UserTag", "Application", "/CN=a", "wn1", 1.5)
    assert made.fields == {"name": name, "value": value}
    assert SequenceCode.parse(made.seqcode).app == 6


def test_other_events_of_an_application() -> None:
    made = application_event(JOB, "", LAST, {":event": "CurDescr", "descr": "x", ":instance": "i"}, 1.0)
    assert (made.type, made.fields, made.instance, made.host) == ("CurDescr", {"descr": "x"}, "i", "unknown")


@pytest.mark.parametrize("kind", ["Done", "Running", "RegJob", "ChangeACL", "nothing"])
def test_a_payload_does_not_speak_for_others(kind: str) -> None:
    with pytest.raises(NotPermitted):
        application_event(JOB, "", LAST, {":event": kind}, 1.0)


@pytest.mark.parametrize("name", ["level", "priority", "instance", "nmae"])
def test_a_field_that_a_tag_has_not_is_named(name: str) -> None:
    with pytest.raises(BadEvent, match=name):
        application_event(JOB, "", LAST, {"name": "a", "value": "b", name: "1"}, 1.0)


def test_of_a_code_only_the_own_counter_is_believed() -> None:
    held = str(SequenceCode(ui=9, ns=9, lrms=9, app=7))
    assert next_code(LAST, held) == SequenceCode(ui=1, ns=2, wm=3, lrms=4, app=8)
    assert next_code(LAST, held, attach=False).app == 7
    assert next_code(LAST, LAST, attach=False).app == 6
    assert next_code(LAST, "").app == 6
    with pytest.raises(BadEvent):
        next_code(LAST, "soon")


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=20))
@settings(max_examples=examples(100), deadline=None)
def test_codes_of_an_attempt_only_grow(calls: list[tuple[int, bool]]) -> None:
    last = LAST
    for held, attach in calls:
        code = next_code(last, str(SequenceCode(app=held)), attach=attach)
        assert str(code) > last
        last = str(code)


def test_an_attempt_has_a_last_event() -> None:
    with pytest.raises(NotAllowedNow):
        next_code(LAST, str(SequenceCode(app=MAX_COUNTER)))


def test_many_events_at_once_are_taken_then_as_many_as_the_time_allows() -> None:
    rate, one = Rate(), ("a", 1)
    assert sum(rate.admits(one, 10.0) for _ in range(100)) == application.BURST
    assert rate.admits(("b", 1), 10.0)
    assert not rate.admits(one, 10.1)
    assert sum(rate.admits(one, 12.0) for _ in range(100)) >= application.PER_S


def test_few_attempts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "REMEMBERED", 2)
    rate = Rate()
    for name in "abc":
        for _ in range(60):
            rate.admits((name, 1), 1.0)
    assert rate.admits(("a", 1), 1.0)
    assert not rate.admits(("c", 1), 1.0)
