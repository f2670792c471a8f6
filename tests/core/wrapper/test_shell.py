"""Quoting, checked by the programs that read the quoted text: real shells, one process for many strings."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobadapter.shell import curl_value, pattern, quoted, references, shown, url_name, word
from tests.examples import examples
from wms.errors import JdlInvalid

SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]

text = st.text(st.one_of(
    st.sampled_from("'\"\\$`!*?[]{}()<>|&;#~=%^- \t\n\r\x01\x7f\x81\x88aé€😀"),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
), max_size=12)  # fmt: skip
names = st.sampled_from(["HOME", "A", "B", "UNSET", "_x1"])
parts = st.one_of(st.tuples(st.just("literal"), text), st.tuples(st.just("variable"), names))
words = st.lists(st.lists(parts, max_size=4), max_size=10)
environment = {"HOME": "/home/a  b", "A": "*", "B": "$(true)`x`\n\"'", "_x1": "é"}


def said(shell: list[str], arguments: str) -> list[str]:
    """What a program gets for its arguments, as the shell reads them."""
    script = f"set -- {arguments}\nfor word do printf '%s\\0' \"$word\"; done\n"
    answer = subprocess.run(shell, input=script.encode(), capture_output=True, check=True,
                            env={**environment, "PATH": os.environ["PATH"]})
    return answer.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@given(st.lists(text, max_size=20))
@settings(max_examples=examples(25), deadline=None)
def test_a_quoted_text_stands_for_itself(shell: list[str], texts: list[str]) -> None:
    assert said(shell, " ".join(map(quoted, texts))) == texts


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@given(words)
@settings(max_examples=examples(25), deadline=None)
def test_variables_are_expanded_once_and_never_split(
    shell: list[str], all_words: list[list[tuple[str, str]]]
) -> None:
    values = {**environment, "UNSET": ""}
    expected = ["".join(values[t] if kind == "variable" else t for kind, t in parts) for parts in all_words]
    assert said(shell, " ".join(map(word, all_words))) == expected


@given(st.text(st.sampled_from("a$Z{}_A1 \\'\"`(é"), max_size=20))
@settings(deadline=None)
def test_references_lose_no_character(value: str) -> None:
    parts = references(value)
    assert all(text for _, text in parts)
    position = 0
    for kind, text in parts:
        spelled = [text] if kind == "literal" else [f"${text}", f"${{{text}}}"]
        (found,) = [s for s in spelled if value.startswith(s, position)]
        position += len(found)
    assert position == len(value)


@pytest.mark.parametrize(("value", "parts"), [
    ("", []),
    ("plain", [("literal", "plain")]),
    ("$HOME", [("variable", "HOME")]),
    ("${A}b$B/", [("variable", "A"), ("literal", "b"), ("variable", "B"), ("literal", "/")]),
    ("$1 ${} ${A-x} $(x) $", [("literal", "$1 ${} ${A-x} $(x) $")]),
])  # fmt: skip
def test_references(value: str, parts: list[tuple[str, str]]) -> None:
    assert references(value) == parts


def test_variables_of_the_job_are_read_from_where_the_wrapper_put_them() -> None:
    assert word([("variable", "A"), ("literal", "'")], {"A": "wms_env_0"}) == "\"${wms_env_0-}\"''\\'''"
    assert word([("literal", "")]) == word([]) == "''"


@pytest.mark.parametrize("value", ["a\0b", "\ud800"])
def test_what_no_process_can_be_given_is_refused(value: str) -> None:
    with pytest.raises(JdlInvalid, match="no argument"):
        quoted(value)


file_names = st.text(st.sampled_from("ab.-'$ \\*?[]!\n"), min_size=1, max_size=6).filter(
    lambda name: name not in {".", ".."})


@given(st.sets(file_names, max_size=6), st.text(st.sampled_from("ab.-'$ *?"), min_size=1, max_size=5))
@settings(max_examples=examples(50), deadline=None)
def test_a_pattern_finds_what_it_would_find_unquoted(files: set[str], wanted: str) -> None:
    wild = pattern(wanted)
    if wild is None:
        assert not set(wanted) & set("*?")
        return
    place = tempfile.mkdtemp()
    for name in files:
        Path(place, name).touch()
    found = subprocess.run(["dash"], input=f"set -- {wild}\nfor f do printf '%s\\0' \"$f\"; done".encode(),
                           capture_output=True, check=True, cwd=place)
    shutil.rmtree(place)
    hidden_too = wanted.startswith(".")
    expected = {f for f in files if fnmatchcase(f, wanted) and (hidden_too or not f.startswith("."))}
    listed = set(found.stdout.decode().split("\0")[:-1]) - {".", ".."}
    assert listed - {wanted} == expected - {wanted}


@pytest.mark.parametrize(("name", "wild"), [
    ("a'b", None), ("a[b", None), ("[a$b]", None),
    ("*.txt", "*'.txt'"), ("run[0-9]?.log", "'run'[0-9]?'.log'"), ("a*", "'a'*"), ("[!a]", "[!a]"),
])  # fmt: skip
def test_patterns(name: str, wild: str | None) -> None:
    assert pattern(name) == wild


@given(text)
@settings(deadline=None)
def test_names_come_back_from_urls_and_are_safe_in_messages(name: str) -> None:
    assert unquote(url_name(name)) == name
    assert unquote(shown(name)) == name
    assert "/" not in url_name(name)
    assert json.loads(f'"{shown(name)}"') == shown(name)
    assert not set(shown(name)) & set(" \n'")


@given(st.lists(text.filter(bool), min_size=1, max_size=10))
@settings(max_examples=examples(20), deadline=None)
def test_curl_reads_back_what_was_written(values: list[str]) -> None:
    """`write-out` prints a value of the configuration; two characters are its own language."""
    values = [value.replace("%", "").replace("\\", "").replace("@", "") or "x" for value in values]
    lines = [f'url = "file:///dev/null"\nwrite-out = {curl_value(value + "|")}\n' for value in values]
    with tempfile.NamedTemporaryFile("wb") as file:
        file.write("next\n".join(lines).encode())
        file.flush()
        answer = subprocess.run(["curl", "-q", "-K", file.name], capture_output=True, check=True)
    assert answer.stdout.decode() == "".join(value + "|" for value in values)
