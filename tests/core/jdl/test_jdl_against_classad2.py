"""Our evaluation and HTCondor's, on random expressions."""

import math
import random

import classad2
import htcondor2  # noqa: F401 - registers the functions of lists in strings
import pytest
from classad_text import MY, OTHER, Source

from wms.jdl.ast import ERROR, UNDEFINED, Ad
from wms.jdl.evaluate import evaluate, prepare
from wms.jdl.parser import parse, parse_expression

OURS, THEIRS = parse(MY), classad2.ClassAd(MY)
RESOURCE, THEIR_RESOURCE = prepare(evaluate(parse(OTHER), Ad())), classad2.ClassAd(OTHER)
SPECIAL = {classad2.Value.Error: ERROR, classad2.Value.Undefined: UNDEFINED}


def theirs(text):
    value = classad2.ExprTree(text).eval(THEIRS, THEIR_RESOURCE)
    return SPECIAL.get(value, value) if isinstance(value, classad2.Value) else value


def agree(ours, reference):
    if isinstance(reference, list):
        return isinstance(ours, list) and len(ours) == len(reference) and all(map(agree, ours, reference))
    if isinstance(reference, classad2.Value):
        return ours is SPECIAL[reference]
    if isinstance(reference, classad2.ExprTree):  # an item of a list that nobody evaluated
        return True
    if isinstance(reference, float) and isinstance(ours, float):
        return math.isclose(ours, reference, rel_tol=1e-12)
    return type(ours) is type(reference) and ours == reference


def disagreement(texts):
    for text in texts:
        ours, reference = evaluate(parse_expression(text), OURS, RESOURCE), theirs(text)
        if not agree(ours, reference):
            return f"{text}: ours {ours!r}, classad2 {reference!r}"
    return None


def large(cases, seed):
    source = Source(random.Random(seed))
    return (source.expression(4) for _ in range(cases))


def small(cases, seed):
    """Each text once: the same small expression again would prove nothing."""
    source = Source(random.Random(seed))
    texts = set()
    while len(texts) < cases:
        texts.add(source.mixed())
    return sorted(texts)


def test_large_expressions_have_the_value_classad2_gives_them():
    assert disagreement(large(500, random.getrandbits(64))) is None


def test_twenty_thousand_expressions_have_the_value_classad2_gives_them():
    """Others in every run; a hundred thousand, and a million, are for `make soak`."""
    assert disagreement(small(20_000, random.getrandbits(64))) is None


@pytest.mark.soak
def test_a_hundred_thousand_expressions_have_the_value_classad2_gives_them():
    assert disagreement(small(100_000, 1)) is None


@pytest.mark.soak
def test_a_million_expressions_have_the_value_classad2_gives_them():
    assert disagreement(small(900_000, random.getrandbits(64))) is None
    assert disagreement(large(100_000, random.getrandbits(64))) is None
