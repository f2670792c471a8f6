"""What expressions mean: scopes, three-valued logic, matching, and the bounds of an evaluation."""

import math

import pytest
from hypothesis import given, settings
from jdl_trees import ADS, NODES

from tests.examples import examples
from wms.jdl.ast import ERROR, UNDEFINED, Name
from wms.jdl.evaluate import bind, evaluate, prepare, significant
from wms.jdl.parser import parse, parse_expression
from wms.jdl.unparse import unparse
from wms.jdl.values import Prepared, plain, tree

TAGS = "other.GlueHostApplicationSoftwareRunTimeEnvironment"
CE = prepare(
    {
        "GlueCEUniqueID": "ce.cern.ch:2119/jobmanager-pbs-long",
        "GlueCEStateStatus": "Production",
        "Free": 4,
        "Load": 0.5,
        "GlueHostApplicationSoftwareRunTimeEnvironment": ["ALICE-3.07.01", "MPICH"],
        "Mixed": ["a", 1],
        "Empty": [],
        "Nothing": None,
        "Site": {"Name": "roma3"},
        "Storage": {"CloseSEs": [{"SE": "a", "Space": 500}, {"SE": "b", "Space": 2000}, "no record"]},
    }
)


def value(text, my="", **options):
    return evaluate(parse_expression(text), parse(my) if my else None, CE, **options)


# -- matching ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('other.GlueCEStateStatus == "production"', True),
        ('"PRODUCTION" == other.glueCEstateSTATUS', True),
        ('other.GlueCEStateStatus != "production"', False),
        ('other.GlueCEStateStatus == "Closed"', False),
        ('other.GlueCEStateStatus =?= "production"', False),
        ('other.GlueCEStateStatus < "q"', True),
        ("other.GlueCEStateStatus == 1", ERROR),
        ('other.Missing == "x"', UNDEFINED),
        ('other.Free == "x"', ERROR),
        ("other.Free > 3", True),
        ("3 < other.Free", True),
        ("4 >= other.Free", True),
        ("5 <= other.Free", False),
        ("other.Free > true", True),
        ("other.Load < 1", True),
        ("other.Missing > 3", UNDEFINED),
        ("other.Free == 4", True),
        ("4 != other.Free", False),
        ("other.Free + 1", 5),
        ("target.Free", 4),
        ("other.Nothing", UNDEFINED),
        ("other.Site.NAME", "roma3"),
        ('other.Site["name"]', "roma3"),
        ("other.Site.x", UNDEFINED),
        (f'Member("alice-3.07.01", {TAGS})', True),
        (f'Member({TAGS}, "MPICH")', True),
        (f'IsMember("x", {TAGS})', False),
        ('Member("x", other.Missing)', UNDEFINED),
        ('Member("a", other.Mixed)', True),
        ('Member("a", other.Empty)', False),
        ('Member("a", other.GlueCEStateStatus)', ERROR),
        ('Member(other.GlueCEStateStatus, {"PRODUCTION", "x"})', True),
        ('Member({"x"}, other.GlueCEStateStatus)', False),
        ("Member(other.Free, {3, 4})", True),
        ('Member(other.Missing, {"a"})', UNDEFINED),
        ('Member(other.Free, {"a"})', False),
        (f"Member({TAGS}, {{1}})", ERROR),
        ('Member("a", {"A"})', True),
        ('Member({"A"}, "a")', True),
        ("Member(1 + 1, {2})", True),
        (f"size({TAGS})", 2),
        ("isClassad(other)", True),
        ("other.Site", {"Name": "roma3"}),
        ("{other.Free, other.Missing}", [4, UNDEFINED]),
    ],
)
def test_a_resource_is_read_through_other(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_a_bound_expression_serves_every_resource():
    free = bind(parse_expression("other.Free > 2"))
    assert [free(prepare({"free": n})) for n in (1, 3)] == [False, True]


def test_without_other_its_attributes_are_undefined():
    assert evaluate(parse_expression("other.X")) is UNDEFINED


def test_prepared_records_keep_their_spelling_and_nest():
    record = prepare({"Aa": [1, {"Bb": ("x", None)}]})
    assert plain(record) == {"Aa": [1, {"Bb": ["x", UNDEFINED]}]}
    assert prepare(record) is record
    assert tree(record) == parse('Aa = {1, [Bb = {"x", undefined}]}')
    with pytest.raises(TypeError, match="object is no attribute value"):
        prepare({"a": object()})


def test_a_plain_dict_has_no_tree():
    assert tree({"a": 1}) == parse_expression("error")


# -- scopes ------------------------------------------------------------------------------------------------

MY = """n = 3; name = "x"; inner = [ n = 5; up = parent.n; deep = [ all = n + root.n; over = parent.parent.n ] ];
 loop = loop + 1; ping = pong; pong = isUndefined(ping); list = {"a", "B"}; sum = n + other.Free; whole = self;
 ads = {[a = 1], [b = 2]}; quoted = ["odd name" = 1]; last = toplevel.n; mine = my.n; of = other; up = parent"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", 3),
        ("N", 3),
        ("self.n", 3),
        ("my.n", 3),
        ("root.n", 3),
        ("toplevel.n", 3),
        ("parent.n", UNDEFINED),
        ("missing", UNDEFINED),
        ("self.missing", UNDEFINED),
        ("inner.n", 5),
        ("inner.up", 3),
        ("inner.deep.all", 8),
        ("inner.deep.over", 3),
        ("inner.parent.n", 3),
        ("inner.root.name", "x"),
        ("inner.self.n", 5),
        ("inner.other.Free", 4),
        ("inner.deep.parent.parent.parent", UNDEFINED),
        ("loop", UNDEFINED),
        ("ping", True),
        ("sum", 7),
        ("sum + sum", 14),
        ('Member("b", list)', True),
        ("list[1]", "B"),
        ("ads.a", [1, UNDEFINED]),
        ("[a = n].a", 3),
        ("[a = b; b = n; n = 7].a", 7),
        ("[n = 1; a = parent.n].a", 3),
        ("last + mine", 6),
        ("of.Free", 4),
        ("up", UNDEFINED),
        ("inner.name", UNDEFINED),
        ("inner.deep", {"all": 8, "over": 3}),
        ("self.self.n", 3),
        ("parent", UNDEFINED),
        ("isClassad(self)", True),
        ("isClassad(whole)", True),
        ("'n'", 3),
    ],
)
def test_names_mean_the_nearest_record(text, expected):
    assert value(text, MY.replace('quoted = ["odd name" = 1]; ', "")) == expected


def test_an_attribute_may_depend_on_itself_only_to_be_undefined():
    assert value("a", "a = isUndefined(b); b = a") is True
    assert value("a.b", "a = [b = self.b]") is UNDEFINED


# -- operators not covered by the comparison with classad2 --------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9223372036854775807 + 1", ERROR),
        ("-9223372036854775807 - 2", ERROR),
        ("-(-9223372036854775807 - 1)", ERROR),
        ("1e308 * 10", ERROR),
        ("1 / 0.0", ERROR),
        ("1 % 0", ERROR),
        ("1.5 % 2", ERROR),
        ("-7 / 2", -3),
        ("7 / -2", -3),
        ("-7 % 3", -1),
        ("1 << 3", 8),
        ("1 << 63", ERROR),
        ("1 << 64", ERROR),
        ("1 << -1", ERROR),
        ("-8 >> 1", -4),
        ("1 >> 64", ERROR),
        ("-1 >>> 60", 15),
        ("-1 >>> 0", -1),
        ("1 >>> 99", ERROR),
        ("5 & 3 | 8 ^ 1", 9),
        ("true & 1", ERROR),
        ("undefined | 1", UNDEFINED),
        ("~5", -6),
        ("~true", ERROR),
        ("-true", ERROR),
        ('"a" + "b"', ERROR),
        ("~undefined", UNDEFINED),
        ("2 > 1 ? undefined : 1", UNDEFINED),
        ('real("INF") + 1', ERROR),
        ("{1} =?= {1}", ERROR),
        ("{1} =!= {1}", ERROR),
        ("false && 1/0", False),
        ("undefined && false", False),
        ("true || error", True),
        ("error || true", ERROR),
        ('"a"[0]', ERROR),
        ("{[a = 1], {[a = 2]}}.a", [1, [2]]),
        ("{1}[undefined]", UNDEFINED),
        ("error[0]", ERROR),
        ("(1).a", ERROR),
        ("undefined.a", UNDEFINED),
    ],
)
def test_operators(text, expected):
    assert value(text) == expected
    assert type(value(text)) is type(expected)


# -- gang matching -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anyMatch(other.storage.CloseSEs, target.Space > 1000)", True),
        ("anyMatch(other.storage.CloseSEs, target.Space > least)", True),
        ("anyMatch(other.storage.CloseSEs, enough)", True),
        ("allMatch(other.storage.CloseSEs, target.Space > 1000)", False),
        ("allMatch(other.storage.CloseSEs, target.Space > 100 && other.Free > 1)", True),
        ("whichMatch(other.storage.CloseSEs, target.Space > 1000).SE", ["b"]),
        ("anyMatch(other.storage.CloseSEs, target.Missing)", False),
        ("anyMatch(other.Missing, true)", UNDEFINED),
        ("anyMatch(other.Free, true)", ERROR),
        ("anyMatch({[a = 1]}, target.a == 1) && target.Free == 4", True),
        ("anyMatch({[a = {[b = 2]}]}, anyMatch(target.a, target.b == 2))", True),
        ("anyMatch({})", ERROR),
    ],
)
def test_gang_matching(text, expected):
    assert value(text, "least = 1500; enough = target.Space > 1500") == expected


# -- what sees its arguments -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ifThenElse(true, 1, 1/0)", 1),
        ("ifThenElse(undefined, 1, 2)", UNDEFINED),
        ('ifThenElse("a", 1, 2)', ERROR),
        ('eval("n + other.Free")', 7),
        ('eval("n +")', ERROR),
        ("eval(n)", 3),
        ("eval(undefined)", ERROR),
        ('eval("inner.n")', 5),
        ("unparse(n)", "3"),
        ("unparse(sum)", "n + other.Free"),
        ("unparse(missing)", ""),
        ("unparse(other.Free)", "4"),
        ('unparse({1, "a"})', '{ 1, "a" }'),
        ("time()", ERROR),
        ("random()", ERROR),
    ],
)
def test_lazy_functions(text, expected):
    assert value(text, "n = 3; sum = n + other.Free; inner = [n = 5]") == expected


def test_time_and_chance_are_given():
    assert value("time() + 1", now=1000.7) == 1001
    assert value("random()", random=lambda: 0.25) == 0.25
    assert value("random(8)", random=lambda: 0.25) == 2
    assert value("random(3.0)", random=lambda: 0.25) == 0.75
    assert value("random(undefined)", random=lambda: 0.25) is UNDEFINED
    assert value("random(0)", random=lambda: 0.25) is ERROR


# -- bounds ------------------------------------------------------------------------------------------------


def doubling(form, count=60, last="1"):
    return "; ".join(form.format(n, n + 1) for n in range(count)) + f"; a{count} = {last}"


@pytest.mark.parametrize(
    ("text", "my"),
    [
        ("a0", doubling("a{0} = a{1} + a{1}")),
        ("a0", doubling("a{0} = a{1}", 1900)),
        ("a0", doubling("a{0} = {{a{1}, a{1}}}")),
        ("size(a0)", doubling("a{0} = strcat(a{1}, a{1})", last='"xxxx"')),
        ("a", 'a = eval("a")'),
        ("a", 'a = eval("-a")'),
        (f'eval("{"-" * 140}b")', f"b = {'-' * 140}1"),
        ("a", "a = [b = [c = root.a]]; b = a"),
        ('regexp("(a+)+$", s)', 's = "' + "a" * 40 + 'b"'),
        ('regexp("(a|aa)*$", s)', 's = "' + "a" * 40 + 'b"'),
        (f'regexp("{"a?" * 40}{"a" * 40}", s)', 's = "' + "a" * 40 + '"'),
        ('regexp("a.*b.*c", s)', 's = "' + "a" * 4000 + '"'),
        ('regexp("a", s)', 's = "' + "a" * 5000 + '"'),
        ("strcat(s, s)", 's = "' + "a" * 600_000 + '"'),
        (f"strcat({', '.join('s' * 100)})", 's = "' + "a" * 1_000_000 + '"'),
        ('formatTime(0, "%99999999d")', ""),
        ("pow(9, 999999999999)", ""),
        ("eval(s)", 's = "' + "1+" * 20_000 + '1"'),
    ],
)
def test_an_evaluation_that_costs_too_much_is_an_error(text, my):
    assert value(text, my) in (ERROR, {"b": {"c": UNDEFINED}})


def test_a_thousand_alternatives_are_no_problem():
    text = " || ".join(f'other.GlueCEUniqueID == "ce{n}"' for n in range(1000))
    assert value(text) is False
    assert value(f'{text} || other.GlueCEUniqueID == "CE.cern.ch:2119/jobmanager-pbs-long"') is True


@given(NODES, ADS)
@settings(max_examples=examples(300), deadline=None)
def test_every_expression_has_a_value(node, my):
    found = evaluate(node, my, CE)
    assert isinstance(found, bool | int | float | str | list | dict) or found in (UNDEFINED, ERROR)
    assert not isinstance(found, Prepared)
    assert not (isinstance(found, float) and math.isnan(found))


@given(NODES, ADS)
@settings(max_examples=examples(200), deadline=None)
def test_only_significant_attributes_matter(node, my):
    names = significant(node, my)
    known = CE if "*" in names else prepare({name: CE[name] for name in names if name in CE})
    assert repr(evaluate(node, my, known)) == repr(evaluate(node, my, CE))


# -- what an expression depends on -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "my", "names"),
    [
        ("other.A == 1 && other.b > n", "n = other.C; m = other.D", {"a", "b", "c"}),
        ("n", "n = m; m = n + other.X", {"x"}),
        ("other.site.name", "", {"site"}),
        ("target.X", "", {"x"}),
        ("other", "", {"*"}),
        ('other["x"]', "", {"*"}),
        ("eval(s)", "", {"*"}),
        ("inner.a", "inner = [a = other.X; b = other.Y]", {"x"}),
        ("inner", "inner = [a = other.X; b = other.Y]", {"x", "y"}),
        ("self", "a = other.X", {"x"}),
        ("missing", "", set()),
        ("inner.root.a", "inner = []; a = other.X", {"x"}),
        ("[b = other.X; c = parent.a].b", "a = other.Y", {"x", "y"}),
        ("anyMatch(other.L, target.X > other.Y && n)", "n = target.Z", {"l", "y"}),
        ("anyMatch(other.L)", "", {"l"}),
        ("f(other.A)[other.B] ? {other.C} : -other.D", "", {"a", "b", "c", "d"}),
        ("parent", "", set()),
        ("f(x).y", "", set()),
    ],
)
def test_significant_attributes(text, my, names):
    assert significant(parse_expression(text), parse(my) if my else None) == names


def test_a_name_alone_depends_on_nothing():
    assert significant(Name("x")) == frozenset()


def below(frames, call):
    return call() if frames == 0 else below(frames - 1, call)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 149 + "1" + ")" * 149,
        "!" * 149 + "x",
        "{" * 149 + "}" * 149,
        "[" + "a = [" * 148 + "]" * 149,
        "strcat(" * 149 + ")" * 149,
        "a" + ".b" * 148,
        "1 ? " * 140 + "1" + " : 2" * 140,
        "ifThenElse(true, " * 149 + "1" + ", 2)" * 149,
        "eval(" * 149 + "1" + ")" * 149,
        "string(" + "{" * 140 + "}" * 140 + ")",
        "a0",
    ],
)
def test_the_deepest_legal_expression_needs_no_deep_stack(text):
    my = parse("; ".join(f"a{n} = {'-' * 20}a{n + 1}" for n in range(100)))
    node = parse_expression(text)
    below(500, lambda: (parse_expression(unparse(node)), evaluate(node, my), significant(node, my)))
