"""How conditions are written: in a URL, in lines and in JSON; any text gives conditions or Refused with a place."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lb.queries.condition_texts import MAX_TEXT, decoded, encoded, from_json, from_lines, from_url, to_lines
from lb.queries.condition_values import Asked
from lb.queries.conditions import EVENTS, JOBS, Condition, Conditions, Operator
from tests.examples import examples
from wms.errors import Refused

ASKED = Asked("/DC=org/CN=Jane", 1_000_000.0)
EQUAL, LESS, GREATER, WITHIN = Operator.EQUAL, Operator.LESS, Operator.GREATER, Operator.WITHIN


def test_a_query_in_a_url() -> None:
    found = from_url("owner=&status<Done|=Cleared|%3E%3CReady&exitcode><3&lastupdatetime>last600", ASKED)
    assert found == (
        (Condition("owner", EQUAL, ASKED.caller),),
        (Condition("status", LESS, "Done"), Condition("status", EQUAL, "Cleared"),
         Condition("status", Operator.UNEQUAL, "Ready")),
        (Condition("exit_code", Operator.UNEQUAL, 3),),
        (Condition("last_update_time", GREATER, 999_400.0),))


def test_names_in_a_url() -> None:
    found = from_url("usertag:Step=a+b&time.running>5&jdl:VirtualOrganisation=cms&owner=%2FC%3DCZ%2FCN%3DA%26B", ASKED)
    assert found == (
        (Condition("usertag", EQUAL, "a b", name="step"),), (Condition("time", GREATER, 5.0, name="Running"),),
        (Condition("jdl_attr", EQUAL, "cms", name="VirtualOrganisation"),),
        (Condition("owner", EQUAL, "/C=CZ/CN=A&B"),))


def test_a_url_decoded_by_somebody_else() -> None:
    assert from_url("location=a%2B+b", ASKED, encoded=False)[0][0].value == "a%2B+b"


def test_lines() -> None:
    found = from_lines("""
# mine
owner = NULL
status=Done status = Cleared;status @ Waiting "Ready" ;
time @ last10 last5 Running
jdl_attr <> "a b" Executable
Phase:2 = x
mytag = "5"
status ->
""".replace("Phase:2", "usertag:phase"), ASKED, changes=True)
    assert found == (
        (Condition("owner", EQUAL, ASKED.caller),),
        (Condition("status", EQUAL, "Done"), Condition("status", EQUAL, "Cleared"),
         Condition("status", WITHIN, "Waiting", "Ready")),
        (Condition("time", WITHIN, 999_990.0, 999_995.0, "Running"),),
        (Condition("jdl_attr", Operator.UNEQUAL, "a b", name="Executable"),),
        (Condition("usertag", EQUAL, "x", name="phase"),),
        (Condition("usertag", EQUAL, "5", name="mytag"),),
        (Condition("status", Operator.CHANGED),))


def test_lines_about_events() -> None:
    found = from_lines("event_type = Done event_type=Abort\nlevel within WARNING DEBUG", ASKED, table=EVENTS)
    assert found == (
        (Condition("event_type", EQUAL, "Done"), Condition("event_type", EQUAL, "Abort")),
        (Condition("level", WITHIN, "WARNING", "DEBUG"),))
    with pytest.raises(Refused, match="mytag"):
        from_lines("mytag = 1", ASKED, table=EVENTS)


def test_json() -> None:
    found = from_json(b'[[{"attribute": "owner"}], [{"attribute": "exitcode", "operator": "within", "value": 1, '
                      b'"value2": 5}, {"attribute": "exit_code", "value": "7"}], '
                      b'[{"attribute": "resubmitted", "value": true}]]', ASKED)
    assert found == (
        (Condition("owner", EQUAL, ASKED.caller),),
        (Condition("exit_code", WITHIN, 1, 5), Condition("exit_code", EQUAL, 7)),
        (Condition("resubmitted", EQUAL, True),))


@pytest.mark.parametrize(("text", "where"), [
    ("x", "part 1, character 2"), ("owner", "part 1, character 6"), ("owner=a|b", "part 1, character 9"),
    ("owner=a&exitcode=x", "part 2, character 9"), ("owner=a&=b", "part 2, character 1"), ("usertag=1", "part 1"),
    ("time:Lost>1", "part 1"), ("status=Done|=Lost", "part 1, character 13"), ("owner=x|", "part 1, character 9")])
def test_where_a_url_is_wrong(text: str, where: str) -> None:
    with pytest.raises(Refused, match=where):
        from_url(text, ASKED)


@pytest.mark.parametrize(("text", "where"), [
    ("owner", "part 1, character 6"), ("owner=a\nstatus = Lost", "part 2, character 1"), ("=", "part 1, character 1"),
    ('owner = "a', "part 1, character 8"), ("exit_code @ 1", "part 1, character 14"),
    ("time = 5", "part 1, character 9"), ("tag:x = 1 owner ~", "part 1, character 16")])
def test_where_a_line_is_wrong(text: str, where: str) -> None:
    with pytest.raises(Refused, match=where):
        from_lines(text, ASKED)


@pytest.mark.parametrize("text", [
    "", "{}", "[{}]", "[[{}]]", "[[[]]]", "[" * 10_000, '[[{"attribute": 1}]]',
    '[[{"attribute": "owner", "value": []}]]', '[[{"attribute": "\\ud800"}]]'])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(Refused, match="conditions"):
        from_json(text, ASKED)


def test_where_json_is_wrong() -> None:
    with pytest.raises(Refused, match="group 2, condition 1"):
        from_json(b'[[{"attribute": "owner"}], [{"attribute": "status", "value": "Lost"}]]', ASKED)
    with pytest.raises(Refused, match="group 1"):
        from_json("[[]]", ASKED)


def test_length_is_bounded() -> None:
    for read in (from_url, from_lines):
        with pytest.raises(Refused, match="longer"):
            read("x" * (MAX_TEXT + 1), ASKED)


def test_no_conditions() -> None:
    assert from_url("", ASKED) == from_lines("\n#x\n;\n", ASKED) == from_json("[]", ASKED) == ()


@settings(max_examples=examples(300), deadline=None)
@given(st.one_of(st.text(max_size=60), st.text(alphabet="owner status=<>|&@:;\"%time 15Done", max_size=60)))
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (from_url, from_lines, from_json):
        with suppress(Refused):
            read(text, ASKED)


words = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters='"'), min_size=1, max_size=10)
single: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(["Done", "Cleared"]), "exit_code": st.integers(-5, 5), "location": words,
    "last_update_time": st.floats(0, 1e9).map(lambda at: round(at, 3)), "resubmitted": st.booleans()}


def groups_of(name: str) -> st.SearchStrategy[tuple[Condition, ...]]:
    signs = [sign for sign in JOBS[name].operators.split() if sign != "changed"]
    return st.lists(st.tuples(st.sampled_from(signs), single[name], single[name]), min_size=1, max_size=3).map(
        lambda given: tuple(Condition(name, Operator(sign), value, end if sign == "within" else "")
                            for sign, value, end in given))


written = st.lists(st.sampled_from(sorted(single)).flatmap(groups_of), max_size=4).map(tuple)


@settings(max_examples=examples(200), deadline=None)
@given(written)
def test_what_is_written_is_read_again(conditions: Conditions) -> None:
    assert from_lines(to_lines(conditions), ASKED) == conditions
    assert decoded(encoded(conditions)) == conditions
    assert from_json(msgspec.json.encode(conditions), ASKED) == conditions


@settings(max_examples=examples(200), deadline=None)
@given(written)
def test_a_url_says_the_same(conditions: Conditions) -> None:
    plain = tuple(tuple(one for one in group if one.operator is not WITHIN) for group in conditions)
    plain = tuple(group for group in plain if group)
    text = "&".join(quote(group[0].attribute + "|".join(f"{one.operator}{one.value}" for one in group))
                    for group in plain)
    if "%7C" in text and any("|" in str(one.value) for group in plain for one in group):
        return
    assert from_url(text, ASKED) == plain
