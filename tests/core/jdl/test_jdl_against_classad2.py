"""Our evaluation and HTCondor's, on random expressions."""

import math
import random

import classad2
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
        return isinstance(ours, list) and len(ours) == len(reference)
    if isinstance(reference, float) and isinstance(ours, float):
        return math.isclose(ours, reference, rel_tol=1e-12)
    return type(ours) is type(reference) and ours == reference


def disagreement(cases, source):
    for _ in range(cases):
        text = source.expression(4)
        ours, reference = evaluate(parse_expression(text), OURS, RESOURCE), theirs(text)
        if not agree(ours, reference):
            return f"{text}: ours {ours!r}, classad2 {reference!r}"
    return None


def test_random_expressions_have_the_value_classad2_gives_them():
    assert disagreement(2000, Source(random.Random(random.getrandbits(64)))) is None


@pytest.mark.soak
def test_a_hundred_thousand_expressions_have_the_value_classad2_gives_them():
    assert disagreement(100_000, Source(random.Random(random.getrandbits(64)))) is None
