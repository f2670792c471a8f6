"""Columns give what the general evaluation gives, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wm.matching.columns import column
from wms.jdl.ast import Ad
from wms.jdl.evaluate import bind
from wms.jdl.parser import parse_expression
from wms.jdl.values import prepare

NAMES = ("A", "B", "C")
FIGURES = st.one_of(st.integers(-(2**63), 2**63 - 1), st.integers(-100, 100), st.floats(), st.just(True), st.none(),
                    st.just("text"))
TAME = st.one_of(st.integers(-(2**20), 2**20), st.floats(-1e6, 1e6))
LEAVES = st.one_of(st.sampled_from([f"other.{name}" for name in NAMES]), st.integers(0, 2**62).map(str),
                   st.floats(0, 1e20).map(repr))
EXPRESSIONS = st.recursive(LEAVES, lambda parts: st.one_of(
    st.tuples(parts, st.sampled_from("+-*"), parts).map(lambda three: f"({' '.join(three)})"),
    parts.map("-({})".format), parts.map("+({})".format)), max_leaves=8)


def columns(text: str, records: list[dict[str, Any]], my: Ad = Ad()) -> list[float] | None:
    prepared = [prepare(record) for record in records]
    found = column(parse_expression(text, "Rank"), my)
    assert found is not None
    return found(lambda name: [record.get(name) for record in prepared], len(prepared))


def one_by_one(text: str, records: list[dict[str, Any]]) -> list[Any]:
    bound = bind(parse_expression(text, "Rank"), Ad())
    return [bound(prepare(record)) for record in records]


def records(figures: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(st.fixed_dictionaries(dict.fromkeys(NAMES, figures)), max_size=5)


@settings(max_examples=examples(300), deadline=None)
@given(EXPRESSIONS, st.one_of(records(FIGURES), records(TAME)))
def test_what_columns_say_is_what_each_record_says(text: str, told: list[dict[str, Any]]) -> None:
    found = columns(text, told)
    if found is not None:
        assert list(map(repr, found)) == [repr(float(value)) for value in one_by_one(text, told)]


@pytest.mark.parametrize("text", ["-other.A", "other.A - 2 * other.B", "2 * 3.5 + +other.C", "7"])
def test_figures_of_an_ordinary_size_are_answered(text: str) -> None:
    told = [{"A": 1, "B": 2.5, "C": 3}, {"A": -4, "B": 0, "C": 10**9}]
    assert columns(text, told) == one_by_one(text, told)
    assert columns(text, []) == []


@pytest.mark.parametrize("value", [True, "x", None, 2**62, float("inf"), float("nan")])
def test_anything_else_is_for_the_general_evaluation(value: Any) -> None:
    assert columns("other.A + 1", [{"A": 1}, {"A": value}]) is None
    assert columns("other.A", [{"A": 1}, {"A": value}]) is None


@pytest.mark.parametrize("text", ["other.A / 2", "other.A - mine", "!other.A", "max({other.A, 1})", "true", "my.x",
                                  "-undefined", "other.A + (other.B % 2)"])
def test_other_expressions_have_no_columns(text: str) -> None:
    assert column(parse_expression(text, "Rank"), Ad()) is None
