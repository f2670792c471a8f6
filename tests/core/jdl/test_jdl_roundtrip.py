"""What is printed reads back as the same tree; what is not JDL raises JdlError and nothing else."""

import pytest
from hypothesis import example, given, settings
from jdl_trees import ADS, HOSTILE, NODES

from tests.examples import examples
from wms.errors import JdlError
from wms.jdl.ast import Ad, ListNode, Literal, Name, Operation, Select, Subscript, Unary
from wms.jdl.parser import parse, parse_expression
from wms.jdl.unparse import pretty, unparse


@given(NODES)
@example(Unary("-", Literal(5)))
@example(Select(Literal(-5), "a"))
@example(Select(Literal(1.0), "e"))
@example(Unary("-", Unary("-", Literal(0))))
@example(Unary("-", Subscript(Literal(0), Literal(False))))
@example(Literal(-(2**63)))
@example(Operation(("-",), (Literal(1), Literal(-1))))
@example(Name("it's"))
@example(Literal("\u201cquoted\u201d \\\\\\& \x7f\x85"))
@settings(max_examples=examples(400), deadline=None)
def test_an_expression_printed_and_read_is_itself(node):
    assert parse_expression(unparse(node)) == node


@given(ADS.filter(len))
@settings(max_examples=examples(150), deadline=None)
def test_a_record_printed_and_read_is_itself(ad):
    assert parse(unparse(ad)) == ad == parse(pretty(ad))


@given(HOSTILE)
@settings(max_examples=examples(500), deadline=None)
def test_any_text_is_a_record_or_a_jdl_error(text):
    problems, tree = [], None
    try:
        tree = parse(text)
    except JdlError as error:
        problems = error.details["problems"]
    assert (tree is None) == bool(problems)
    assert all(problem["row"] >= 1 and problem["column"] >= 1 for problem in problems)
    assert tree is None or parse(unparse(tree)) == tree


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Literal(float("inf")), 'real("INF")'),
        (Literal(float("-inf")), 'real("-INF")'),
        (Literal(float("nan")), 'real("NaN")'),
        (ListNode(()), "{}"),
        (Ad(), "[]"),
    ],
)
def test_values_without_a_literal_are_printed_as_what_makes_them(node, text):
    assert unparse(node) == text


def test_pretty_puts_one_attribute_on_a_line():
    assert pretty(parse("A = 1; B = {2}")) == "[\n  A = 1;\n  B = { 2 };\n]"


def test_literals_of_different_types_differ():
    assert len({Literal(1), Literal(1.0), Literal(True), Literal("1")}) == 4
    assert Literal(1) != Name("1")
    assert Literal(0.0) != Literal(-0.0)
