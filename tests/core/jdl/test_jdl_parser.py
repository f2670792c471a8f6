"""The grammar, its tolerances, its limits, and what is said about text that breaks it."""

import pytest

from wms.errors import JdlError
from wms.jdl import grammar
from wms.jdl.ast import (
    ERROR,
    UNDEFINED,
    Ad,
    Attribute,
    Call,
    Conditional,
    ListNode,
    Literal,
    Name,
    Operation,
    Position,
    Select,
    Subscript,
    Unary,
    conjunction,
    node,
)
from wms.jdl.limits import MAX_ATTRIBUTES, MAX_COMPOUND_TEXT, MAX_PROBLEMS, MAX_STRING, MAX_WARNINGS
from wms.jdl.parser import parse, parse_expression
from wms.jdl.unparse import unparse

SEED = """[
Executable = “test.sh”;
StdOutput = “std.out”;
InputSandbox = {“test.sh”};
OutputSandbox = {“std.out”,”std.err”};
Requirements = other.GlueCEStateStatus == "Production“;
]"""


def problems(text):
    with pytest.raises(JdlError) as caught:
        parse(text, "job.jdl")
    return [(each["row"], each["column"], each["message"]) for each in caught.value.details["problems"]]


def value(text):
    found = parse_expression(text)
    assert isinstance(found, Literal)
    return found.value


def warned(text):
    return [warning.message for warning in parse(text).warnings]


# -- what is read ------------------------------------------------------------------------------------------


def test_brackets_around_the_description_are_optional():
    assert parse("A = 1; B = 2") == parse("[A = 1; B = 2;]") == parse("A = 1;; B = 2;;")


def test_attributes_keep_their_order_and_spelling_and_are_found_in_any_case():
    ad = parse("Zeta = 1; alpha = 2")
    assert ad.names() == ("Zeta", "alpha")
    assert ad.get("ZETA") == Literal(1)
    assert "ALPHA" in ad
    assert "beta" not in ad
    assert len(ad) == 2


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10", 10),
        ("10K", 10240),
        ("2b", 2),
        ("3.5G", 3.5 * 2**30),
        ("5M", 5 * 2**20),
        ("1t", 2**40),
        ("0x1F", 31),
        ("0x1FK", 31 * 1024),
        ("017", 15),
        ("0", 0),
        ("1.e3", 1000.0),
        ("1E3", 1000.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("2.5e-1", 0.25),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("-5", -5),
    ],
)
def test_numbers(text, number):
    assert value(text) == number
    assert type(value(text)) is type(number)


@pytest.mark.parametrize(
    ("text", "string"),
    [
        (r'"a\"b"', 'a"b'),
        (r'"\n\t\b\r\f\\\'"', "\n\t\b\r\f\\'"),
        (r'"\101\7z"', "A\x07z"),
        (r'"\q"', "q"),
        ('"a" "b"\n"c"', "abc"),
        (r'"\377"', "\xff"),
        ('"è"', "è"),
        ('"–"', "–"),
        ('"say “hi”"', "say “hi”"),
    ],
)
def test_strings(text, string):
    assert value(text) == string


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("TRUE", True),
        ("False", False),
        ("Undefined", UNDEFINED),
        ("error", ERROR),
    ],
)
def test_constants_in_any_case(text, constant):
    assert value(text) is constant


def test_the_arguments_of_the_tutorial_survive():
    ad = parse(r'Arguments = "-f file1\\\&file2"; B = "-a \"quoted string\" -bcd"; C = “ -a \”quoted string\” –b”')
    assert ad.get("Arguments") == Literal(r"-f file1\&file2")
    assert ad.get("B") == Literal('-a "quoted string" -bcd')
    assert ad.get("C") == Literal(' -a "quoted string" -b')


def test_every_shape_of_expression():
    assert parse_expression("a.b[0].'c d'") == Select(Subscript(Select(Name("a"), "b"), Literal(0)), "c d")
    assert parse_expression("f(1, {2}, [x = 3])") == Call(
        "f", (Literal(1), ListNode((Literal(2),)), Ad((Attribute("x", Literal(3)),)))
    )
    assert parse_expression("a ? b : c ? d : e") == Conditional(
        Name("a"), Name("b"), Conditional(Name("c"), Name("d"), Name("e"))
    )
    assert parse_expression("!-~+a") == Unary("!", Unary("-", Unary("~", Unary("+", Name("a")))))
    assert parse_expression("f()") == Call("f", ())
    assert parse_expression("-(5)") == Unary("-", Literal(5))
    assert parse_expression("--5") == Unary("-", Literal(-5))


def test_operators_of_one_level_are_one_chain_and_levels_nest_by_precedence():
    assert parse_expression("a || b || c") == Operation(("||", "||"), tuple(map(Name, "abc")))
    assert parse_expression("a + b - c * d") == Operation(
        ("+", "-"), (Name("a"), Name("b"), Operation(("*",), (Name("c"), Name("d"))))
    )
    loosest_first = "a || b && c | d ^ e & f == g < h << i + j * k"
    assert unparse(parse_expression(loosest_first)) == loosest_first
    assert parse_expression(loosest_first) == parse_expression(
        "a || (b && (c | (d ^ (e & (f == (g < (h << (i + (j * k)))))))))"
    )


def test_operators_are_kept_as_written():
    assert parse_expression("a IS b isnt c =?= d =!= e").operators == ("is", "isnt", "=?=", "=!=")


def test_a_typographic_dash_is_a_minus_outside_strings():
    assert parse_expression("a – 1") == parse_expression("a - 1")


def test_comments_of_all_three_kinds():
    assert parse("# first\n  # second\nA = 1; // rest\n/* x = \n 2; */ B = 3;\n#") == parse("A = 1; B = 3")


def test_nodes_know_where_they_stand():
    ad = parse("\n  A = 1 +\n b;")
    assert ad.get("a").position == Position(2, 9)
    assert [operand.position for operand in ad.get("a").operands] == [Position(2, 7), Position(3, 2)]


# -- tolerances --------------------------------------------------------------------------------------------


def test_the_example_of_the_tutorial_is_read_and_each_tolerance_named():
    ad = parse(SEED)
    assert ad.get("OutputSandbox") == node(["std.out", "std.err"])
    assert ad.get("Requirements") == parse_expression('other.GlueCEStateStatus == "Production"')
    assert {warning.message for warning in ad.warnings} == {"typographic quotes were read as straight ones"}
    assert ad.warnings[0][:2] == (2, 14)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ufeffA = 1", "a byte order mark was skipped"),
        ("A = 1;\r\nB = 2;\r\n", "a carriage return was read as a blank"),
        ("A\t= 1;\t\t", "a tab was read as a blank"),
        ("A\u00a0= 1", "a no-break space was read as a blank"),
        ("A = – 1", "a typographic dash was read as a minus"),
        ("‘A’ = 1", "typographic apostrophes were read as straight ones"),
        ('A = "x\n  y"', "a line break inside a string was read as a blank"),
    ],
)
def test_a_tolerance_is_named(text, message):
    assert warned(text) == [message]


def test_a_byte_order_mark_may_stand_before_a_comment():
    assert parse("\ufeff# c\nA = 1") == parse("A = 1")


def test_a_string_over_two_lines_is_one_with_a_blank():
    assert parse('A = "x  \n\t y"').get("A") == Literal("x y")


def test_warnings_are_bounded():
    assert len(parse("A = {" + ", ".join(["“x”"] * 150) + "}").warnings) == MAX_WARNINGS


# -- what is said of broken text ---------------------------------------------------------------------------


def test_all_syntax_errors_are_reported_at_once():
    assert problems("A = ;\nB = {1, };\nC = [x = 1 y = 2];\nD = (3;\nE 4;\nF = 5") == [
        (1, 5, "a value expected"),
        (2, 9, "a value expected"),
        (3, 12, "';' or ']' expected"),
        (4, 7, "')' expected"),
        (5, 3, "'=' expected"),
    ]


def test_the_error_names_file_place_expectation_and_excerpt():
    with pytest.raises(JdlError) as caught:
        parse("A = 1 B = 2;\nC = ;", "job.jdl")
    assert caught.value.message == (
        "Syntax error in the JDL file job.jdl at row 1, column 7: ';' expected at: 'B = 2;' (and 1 more)"
    )
    assert caught.value.details["problems"][0] == {
        "file": "job.jdl",
        "row": 1,
        "column": 7,
        "expected": "';'",
        "found": "B",
        "excerpt": "B = 2;",
        "message": "';' expected",
    }
    assert {key: caught.value.details[key] for key in ("file", "row", "column", "expected", "excerpt")} == {
        "file": "job.jdl",
        "row": 1,
        "column": 7,
        "expected": "';'",
        "excerpt": "B = 2;",
    }


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", [(1, 1, "Not a valid ClassAd: the text is empty")]),
        ("# only\n", [(2, 1, "Not a valid ClassAd: the text is empty")]),
        ("A = 1; a = 2", [(1, 8, "Attribute 'a' already defined!")]),
        ("[A = 1", [(1, 7, "']' expected")]),
        ("[A = [b = 1", [(1, 12, "']' expected")]),
        ("[A = 1] B", [(1, 9, "end of text expected")]),
        ("A = 1] ; B = 2", [(1, 6, "';' expected")]),
        ("] A = ); B = )", [(1, 1, "a valid attribute name expected"), (1, 14, "a value expected")]),
        ("A = 1 # c", [(1, 7, "a comment with # must be alone on its line")]),
        ("A = 08", [(1, 5, "a number that begins with 0 is octal")]),
        ("A = 10Kx", [(1, 5, "not a number")]),
        ("A = 9223372036854775808", [(1, 5, "number too large")]),
        ("A = 9223372036854775809; B = " + "9" * 40, [(1, 5, "number too large"), (1, 30, "number too large")]),
        ("A = 1e999", [(1, 5, "number too large")]),
        ('A = "x;\nB = 2', [(1, 5, "a string that never ends: '\"' expected")]),
        ("A = 'x;\nB = 2", [(1, 5, 'a quoted name that never ends: "\'" expected')]),
        (r'A = "\0"', [(1, 5, "a string cannot hold the NUL character")]),
        (r"'\0' = 1", [(1, 1, "a name cannot hold the NUL character")]),
        ("A = \0", [(1, 5, "NUL and unpaired surrogates are not text")]),
        ('A = "\ud800"', [(1, 6, "NUL and unpaired surrogates are not text")]),
        ("A = @; é = 1", [(1, 5, "character '@' is not allowed here"), (1, 8, "character 'é' is not allowed here")]),
        ("true = 1", [(1, 1, "a valid attribute name expected")]),
        ("A = 'f'(1)", [(1, 8, "';' expected")]),
        ("A = (f)(1)", [(1, 8, "';' expected")]),
        ("A = f(1 2)", [(1, 9, "',' or ')' expected")]),
        ("A = a[1; B = a.1", [(1, 8, "']' expected"), (1, 15, "';' expected")]),
        ("A = a ? b; B = x.", [(1, 10, "':' expected"), (1, 18, "an attribute name expected")]),
        ("A = [b = ) [;] ; c = 1 ]; C = )", [(1, 10, "a value expected"), (1, 31, "a value expected")]),
    ],
)
def test_each_kind_of_problem(text, found):
    assert problems(text)[: len(found)] == found


def test_a_missing_quote_is_pointed_out():
    assert problems('A = "x;\nB = "y";') == [
        (2, 6, "';' expected (the string at row 1, column 5 runs over several lines: is its closing quote missing?)")
    ]


def test_problems_are_bounded():
    assert len(problems("A = ;" * 100)) == MAX_PROBLEMS


def test_an_expression_ends_with_its_text():
    for text in ("1]", "1;", "a b", ""):
        with pytest.raises(JdlError):
            parse_expression(text)


# -- limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "x" * 200,
        "A = " + "(" * 151,
        "A = " + "{" * 151,
        "A = " + "!" * 151 + "1",
        "A = a" + ".a" * 151,
        "A = " + "1 ? " * 151,
        "A = " + "[a=" * 151,
        "A = a" + "[0]" * 151,
        "A = " + "f(" * 151,
        "; ".join(f"a{number} = 1" for number in range(MAX_ATTRIBUTES + 1)),
        "A = " + "1+" * 30000 + "1",
        f'A = "{"x" * (MAX_STRING - 5)}" "xxxxxx"',
        "A = x" + "+ 1" * 2500,
        "A = " + "(b || c && d | " * 60 + "e" + ")" * 60,
        "A = " + "x" * 32769,
        "A = {" + "{1,2,3}," * 99_999 + "1}",
        "A = " + "true||" * 100_000 + "true",
    ],
)
def test_too_much_is_refused(text):
    assert problems(text)


def test_a_list_too_long_is_refused(monkeypatch):
    monkeypatch.setattr(grammar, "MAX_ITEMS", 10)
    assert problems("A = {" + "1," * 10 + "1}") == [(1, 27, "at most 10 items in a list expected")]
    parse("A = {" + "1," * 9 + "1}")


def test_a_string_too_long_is_refused():
    with pytest.raises(JdlError, match="a string of more than"):
        parse('A = "' + "x" * (MAX_STRING + 1) + '"', max_chars=MAX_COMPOUND_TEXT)


def test_a_text_too_long_is_refused_before_it_is_read():
    with pytest.raises(JdlError, match="at most 10 characters"):
        parse("A = 1; B = 2", max_chars=10)


@pytest.mark.parametrize(
    "text",
    [
        "A = " + "(" * 149 + "1" + ")" * 149,
        "A = " + "{" * 149 + "}" * 149,
        "A = " + "!" * 149 + "a",
        "A = {" + "1," * 99_999 + "1}",
        "A = " + "true||" * 99_999 + "true",
        "A = " + "(((a || b) && c) | d)" + "".join(f" && (x + {n})" for n in range(12000)),
        "A = x" + "+ 1" * 2498,
        'A = f("' + "x" * 900_000 + '" + y)',
        "A = f(y /*" + " " * 900_000 + "*/)",
        "A = " + " || ".join(f'other.GlueCEUniqueID == "ce{n}.cern.ch:2119/jobmanager-pbs-long"' for n in range(1000)),
        "; ".join(f"a{number} = 1" for number in range(MAX_ATTRIBUTES)),
        "A = {" + ", ".join("[b = a + a + a + a]" for _ in range(2500)) + "}",
    ],
)
def test_much_is_read(text):
    parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 10**5,
        "A = " + "!" * 10**5,
        "A = a" + ".a" * 10**5,
        "A = a" + "+a" * 10**5,
        "[" * 10**5,
        "A = " + "[a=" * 10**5,
        "\u201c" * 10**5,
        '"' * 10**5,
        "A = )" + ";" * 10**6,
        "A = ) " + "[" * 10**5,
        "/*" * 10**5,
        "#\n" * 10**5,
        "A = " + "/* " * 10**5,
        'A = "' + '\\"\n' * 10**5,
    ],
)
def test_hostile_text_is_an_error_soon(text):
    with pytest.raises(JdlError):
        parse(text)


# -- trees without text ------------------------------------------------------------------------------------


def test_plain_values_become_trees():
    assert node({"a": [1, "x", True], "b": UNDEFINED, "c": Name("n")}) == parse(
        '[a = {1, "x", true}; b = undefined; c = n]'
    )


def test_a_record_can_be_changed():
    ad = parse("A = 1; B = 2; C = 3")
    assert ad.changed({"b": Literal(4), "C": None, "D": Name("x"), "missing": None}) == parse("A = 1; B = 4; D = x")


def test_a_conjunction_of_none_one_and_more():
    assert conjunction() == Literal(True)
    assert conjunction(Name("a")) == Name("a")
    assert conjunction(Name("a"), Name("b")) == parse_expression("a && b")


def test_the_special_values_are_false_and_print_their_names():
    assert not UNDEFINED
    assert repr([UNDEFINED, ERROR]) == "[UNDEFINED, ERROR]"
