"""Messages say themselves what they are, and older ones without newer fields can still be read."""

from __future__ import annotations

from typing import get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wms.messages import AnyMessage, attempts, credentials, decode, questions, submission, topics
from wms.messages.questions import CesAnswer, ExplainAnswer, MatchAnswer, NoAnswer
from wms.messages.record import Record
from wms.operations import Clause, Reason
from wms.operations.ces import Ce, CeAttribute, CeDetail, CeList, Measured

KINDS = get_args(AnyMessage)
ANSWERS = (MatchAnswer, ExplainAnswer, CesAnswer, NoAnswer)
"""They hold records of any shape."""


def test_every_record_of_the_modules_can_be_decoded() -> None:
    declared = {value for module in (attempts, credentials, questions, submission) for value in vars(module).values()
                if isinstance(value, type) and issubclass(value, Record) and value is not Record}
    assert set(KINDS) == declared


def values(kind: object) -> st.SearchStrategy[object]:
    """Any value of a field's type that JSON can carry."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return st.builds(kind, **{f.name: values(f.type) for f in msgspec.structs.fields(kind)})
    if kind is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind is int:
        return st.integers(-2**63, 2**63 - 1)
    if get_origin(kind) is tuple and get_args(kind)[-1] is not Ellipsis:
        return st.tuples(*map(values, get_args(kind)))
    if get_origin(kind) is tuple:
        return st.lists(values(get_args(kind)[0]), max_size=2).map(tuple)
    return st.from_type(kind)  # type: ignore[arg-type]


@settings(deadline=None)
@given(st.sampled_from([kind for kind in KINDS if kind not in ANSWERS]).flatmap(values))
def test_what_is_put_is_what_is_read(message: Record) -> None:
    body = msgspec.json.encode(message)
    assert decode(body) == message
    assert msgspec.json.decode(body)["type"] == type(message).__name__


def test_an_answer_with_an_error_is_what_is_read() -> None:
    answer = MatchAnswer("q", (("ce", 1.5),), "", (("vo", 2, 1),), {"code": "X", "details": {"row": 1}})
    assert decode(msgspec.json.encode(answer)) == answer


def test_reasons_are_what_is_read() -> None:
    clauses = (Clause("`x`", "user", 3, 1, 2),)
    told = Reason("j", "Waiting", "no_match", "No.", 1.5, 2.5, clauses, {"ces": 3, "a": ["b"]})
    answer = ExplainAnswer("q", (told,))
    assert decode(msgspec.json.encode(answer)) == answer


@pytest.mark.parametrize("answer", [
    CesAnswer("q", CeList((Ce("a:1/b", slots=3, measured=Measured(2.0)),), (CeDetail(Ce("a:1/b"), (
        CeAttribute("GlueCEName", ["q"], "s", "backend", 1.5),), {"failures": 1}),), silent={"s": "away"})),
    NoAnswer("q", {"code": "X", "details": {"row": 1}}, 404)])
def test_answers_about_ces_are_what_is_read(answer: Record) -> None:
    assert decode(msgspec.json.encode(answer)) == answer


def blank(kind: object) -> object:
    """The least that a field of this type can be."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return {f.name: blank(f.type) for f in msgspec.structs.fields(kind) if f.required}
    if get_origin(kind) is dict:
        return {}
    plain: dict[object, object] = {int: 1, str: "x", float: 1.0, bool: True}
    return plain.get(kind, [])


@pytest.mark.parametrize("kind", KINDS)
def test_only_fields_without_a_default_are_needed_and_unknown_ones_are_ignored(kind: type[Record]) -> None:
    fields = msgspec.structs.fields(kind)
    values = {f.name: blank(f.type) for f in fields if f.required and f.name != "outcome"}
    if "outcome" in {f.name for f in fields}:
        kinds = {f.name: f.type for f in fields}
        values["outcome"] = "Done" if kinds["outcome"] is str else {"sequence_code": ""}
    body = {"type": kind.__name__, **values, "of_a_newer_version": 1}
    assert type(decode(msgspec.json.encode(body))) is kind


@pytest.mark.parametrize("body", [b"", b"{}", b'{"type": "Unknown"}', b"[]",
                                  b'{"type": "Kill", "job": 1, "attempt": 1}'])
def test_anything_else_is_refused(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(body)


def test_topics_are_the_names_of_daemons() -> None:
    assert {topics.NS, topics.WM, topics.JOBADAPTER, topics.LOGMONITOR, topics.LB, topics.PROXYRENEWAL} == {
        "ns", "wm", "jobadapter", "logmonitor", "lb", "proxyrenewal"}
    assert topics.WM_MATCH.startswith(topics.WM)
