"""How an Arguments string falls into words."""

import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import JdlInvalid
from wms.jdl.arguments import Literal, Variable, as_shell, split_arguments
from wms.jdl.ast import Literal as Constant
from wms.jdl.parser import parse


def words(text):
    """Words as plain text, a variable as $name (quoted) or $name* (open to splitting)."""
    shown = {Literal: lambda part: part.text, Variable: lambda part: f"${part.name}" + "*" * (not part.quoted)}
    return ["".join(shown[type(part)](part) for part in word) for word in split_arguments(text)]


@pytest.mark.parametrize(
    ("jdl", "expected"),
    [
        (r'Arguments = "-a \"quoted string\" -bcd"', ["-a", "quoted string", "-bcd"]),
        (r'Arguments = "-f file1\\\&file2"', ["-f", "file1&file2"]),
        ('Arguments = "-out outputfile.dat"', ["-out", "outputfile.dat"]),
    ],
)
def test_the_examples_of_the_tutorial(jdl, expected):
    node = parse(jdl).get("Arguments")
    assert isinstance(node, Constant)
    assert words(node.value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  a \t b\n", ["a", "b"]),
        ("''", [""]),
        ('"" a', ["", "a"]),
        ("a'b c'd", ["ab cd"]),
        (r"'a\b'", [r"a\b"]),
        (r'"a\"b\\c\d\$x"', [r'a"b\c\d$x']),
        (r"a\ b \'", ["a b", "'"]),
        (r"\;\|\<\>\(\)\`", [";|<>()`"]),
        ("';|&' \"<>\"", [";|&", "<>"]),
        ("$HOME/x", ["$HOME*/x"]),
        ("${HOME}x", ["$HOME*x"]),
        ('"$A b"', ["$A b"]),
        ("'$A'", ["$A"]),
        (r"\$A", ["$A"]),
        ('"a""b"', ["ab"]),
        ("$ a$", ["$", "a$"]),
        ('"$"', ["$"]),
        ("a\\", ["a\\"]),
        ("*.dat ~ #x [a] {b} =!", ["*.dat", "~", "#x", "[a]", "{b}", "=!"]),
        ('""$A""', ["$A*"]),
        ("$A$B", ["$A*$B*"]),
        ("è ünï", ["è", "ünï"]),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "column"),
    [
        ("a;b", 2),
        ("a | b", 3),
        ("a && b", 3),
        ("a > b", 3),
        ("a < b", 3),
        ("(a)", 1),
        ("`id`", 1),
        ("$(id)", 1),
        ('"$(id)"', 1),
        ('"`id`"', 1),
        ("a $1", 3),
        ("$?", 1),
        ("${A", 1),
        ("${A:-b}", 1),
        ("'a", 1),
        ('a "b', 3),
        ('"a\\"', 1),
    ],
)
def test_what_would_make_a_shell_act_is_refused(text, column):
    with pytest.raises(JdlInvalid) as caught:
        split_arguments(text)
    if not text.startswith('"'):
        assert caught.value.details == {"column": column}


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8), max_size=5))
@settings(max_examples=examples(300), deadline=None)
def test_words_quoted_for_the_shell_come_back(texts):
    assert words(shlex.join(texts)) == texts
    assert shlex.split(as_shell(split_arguments(shlex.join(texts)))) == texts


@given(st.text("ab $\\'\"{}A;&|()`\n", max_size=16))
@settings(max_examples=examples(500), deadline=None)
def test_what_is_printed_for_the_shell_reads_back_the_same(text):
    try:
        found = split_arguments(text)
    except JdlInvalid:
        return
    assert split_arguments(as_shell(found)) == found
