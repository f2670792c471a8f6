"""Versions, lists written in strings, and the functions over close storage, one line for each of their cases."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.jdl.ast import ERROR, UNDEFINED
from wms.jdl.evaluate import evaluate, prepare, significant
from wms.jdl.parser import parse, parse_expression

MY = parse('VO = "Atlas"; OutputSE = "se1"; OutputData = {}; s = "Str"; u = undefined; e = 1/0; l = {"a"}')
OTHER = prepare({"storage": {"CloseSEs": [
    {"GlueSEUniqueID": "open", "GlueSAStateAvailableSpace": 10},
    {"GlueSEUniqueID": "named", "GlueSAAccessControlBaseRule": ["cms", "atlas"], "GlueSAStateAvailableSpace": 2000},
    {"GlueSEUniqueID": "rule", "GlueSAAccessControlBaseRule": "VO:ATLAS"},
    {"GlueSEUniqueID": "group", "GlueSAAccessControlBaseRule": ["VOMS:/atlas/Role=prod"]},
    {"GlueSEUniqueID": "other", "GlueSAAccessControlBaseRule": ["VO:atlas2", 7]},
    "no record",
]}})


ALL_SES = ["open", "named", "rule", "group", "other"]


def value(text, other=None):
    return evaluate(parse_expression(text), MY, other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('versioncmp("1.2", "1.10")', -1),
        ('versioncmp("1.10", "1.2")', 1),
        ('versioncmp("1.2", "1.2")', 0),
        ('versioncmp("1.2a", "1.2")', 1),
        ('versioncmp("a1", "a.")', 1),
        ('versionLT("1.2", "1.10")', True),
        ('versionLE("8.9.3", "8.9.3")', True),
        ('versionEQ("1.0", "1")', False),
        ('versionGT("10", "9")', True),
        ('versionGE("9", "10")', False),
        ('versionLT(u, "1")', UNDEFINED),
        ('versionLT(e, "1")', ERROR),
        ("versionLT(1, 2)", True),
        ('versionLT("1")', ERROR),
        ('version_in_range("1.5", "1.2", "1.10")', True),
        ('version_in_range("1.11", "1.2", "1.10")', False),
        ('version_in_range("1.1", "1.2", "1.10")', False),
        ('version_in_range("1", u, "2")', UNDEFINED),
        ('version_in_range("1", "0", e)', ERROR),
    ],
)
def test_versions(text, expected):
    assert value(text) == expected


def test_versions_have_one_order():
    ascending = ["", "000", "00", "01", "010", "09", "0", "1", "1.001", "1.01", "1.1", "1.1a", "1.2", "1.10", "9", "10",
                 "a", "a2", "a10", "b"]
    for first, second in itertools.combinations(ascending, 2):
        assert value(f'versionLT("{first}", "{second}")') is True, (first, second)


VERSIONS = st.text("012.a", max_size=6)


@given(VERSIONS, VERSIONS, VERSIONS)
@settings(max_examples=examples(150), deadline=None)
def test_the_order_of_versions_is_total(a, b, c):
    def order(x, y):
        return value(f'versioncmp("{x}", "{y}")')

    assert order(a, b) == -order(b, a)
    assert (order(a, b) == 0) == (a == b)
    assert not (order(a, b) <= 0 and order(b, c) <= 0 and order(a, c) > 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('split("a b,c")', ["a", "b", "c"]),
        ('split(" a ; b;", ";")', ["a", "b"]),
        ('split("a b", "")', ["a b"]),
        ('stringListSize("a, b,,c")', 3),
        ('stringListSize("")', 0),
        ("stringListSize(1)", ERROR),
        ("stringListSize(u)", UNDEFINED),
        ("stringListSize(e)", ERROR),
        ('stringListSum("1,2,3.5")', 6.5),
        ('stringListSum("1,2")', 3),
        ('stringListSum("")', 0.0),
        ('stringListSum("1,x")', ERROR),
        ('stringListSum("1e999")', ERROR),
        ('stringListAvg("1,2")', 1),
        ('stringListAvg("1,2.0")', 1.5),
        ('stringListMin("3,1,2")', 1),
        ('stringListMin("")', UNDEFINED),
        ('stringListMax("3,1.5")', 3.0),
        ('stringListMember("a", "A, b")', False),
        ('stringListMember("b", "A, b")', True),
        ('stringListMember("b", "A;b", ";")', True),
        ('stringListMember(1, "1")', ERROR),
        ('stringListIMember("A", "a,b")', True),
        ('stringListSubsetMatch("a,b", "b,a,c")', True),
        ('stringListSubsetMatch("A", "a")', False),
        ('stringListISubsetMatch("A", "a")', True),
        ('stringListsIntersect("a,b", "c,b")', True),
        ('stringListsIntersect("a", "b")', False),
        ('stringList_regexpMember("^a", "ba,ab")', True),
        ('stringList_regexpMember("^A", "ba,ab", ",", "i")', True),
        ('stringList_regexpMember("^x", "ba,ab")', False),
        ('stringList_regexpMember("^x", u)', UNDEFINED),
    ],
)
def test_lists_in_strings(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize("text", ["successFraction(4)", "measuredResponseTime()", "measuredResponseTime(4)"])
def test_statistics_that_nobody_keeps_are_undefined(text):
    assert value(text) is UNDEFINED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('listAttrRegEx("^output")', ["OutputSE", "OutputData"]),
        ('listAttrRegEx("nothing")', []),
        ("listAttrRegEx(u)", UNDEFINED),
        ("listAttrRegEx(1)", ERROR),
        ('[a1 = 1; b = 2; found = listAttrRegEx("^[ab]")].found', ["a1", "b"]),
    ],
)
def test_names_of_attributes_are_found_by_pattern(text, expected):
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("retrieveCloseSEsInfo(VO).GlueSEUniqueID", ["open", "named", "rule", "group"]),
        ('retrieveCloseSEsInfo("cms").GlueSEUniqueID', ["open", "named"]),
        ("anyMatch(retrieveCloseSEsInfo(VO), target.GlueSAStateAvailableSpace > 1000)", True),
        ("anyMatch(other.storage.CloseSEs, target.GlueSAStateAvailableSpace > 1000)", True),
        ("retrieveCloseSEsInfo(u)", UNDEFINED),
        ("retrieveCloseSEsInfo(e)", ERROR),
        ("retrieveCloseSEsInfo(1)", ERROR),
    ],
)
def test_close_storage_that_the_vo_may_use(text, expected):
    assert value(text, OTHER) == expected


@pytest.mark.parametrize(
    ("vo", "seen"),
    [
        ('"atlas"', ["open", "named", "rule", "group"]),
        ('"cms"', ["open", "named"]),
        ("undefined", ["open", "named", "rule", "group", "other"]),
        ("1/0", ["open", "named", "rule", "group", "other"]),
    ],
)
def test_a_job_sees_the_close_storage_that_its_vo_may_use(vo, seen):
    my = parse(f"VirtualOrganisation = {vo}; Nested = [ Here = other.storage.CloseSEs ]")
    for text in ("other.storage.CloseSEs.GlueSEUniqueID", "Nested.Here.GlueSEUniqueID"):
        found = evaluate(parse_expression(text), my, OTHER)
        assert [name for name in found if isinstance(name, str)] == [name for name in ALL_SES if name in seen]
    assert evaluate(parse_expression("other.storage.CloseSEs"), my, {"storage": {"CloseSEs": "x"}}) == "x"
    assert evaluate(parse_expression("other.store.CloseSEs"), my, OTHER) is UNDEFINED


def test_a_resource_without_storage_has_no_close_storage():
    assert value("retrieveCloseSEsInfo(VO)") is UNDEFINED
    assert value("retrieveCloseSEsInfo(VO)", {"storage": {"CloseSEs": "x"}}) is ERROR


def test_close_storage_is_significant():
    assert significant(parse_expression("size(retrieveCloseSEsInfo(VO)) > 0"), MY) == {"storage"}
