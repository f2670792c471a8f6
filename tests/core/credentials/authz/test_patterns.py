"""Stars stand for any text and nothing else does; an FQAN without role is not one with a role."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.authz.patterns import FqanParts, FqanPattern, fits, fits_path, glob, literal

LETTERS = st.text("ab*", max_size=8)


@given(LETTERS, st.text("ab", max_size=10))
@settings(max_examples=examples(500), deadline=None)
def test_stars_are_those_of_the_shell(pattern: str, text: str) -> None:
    assert fits(glob(pattern), text) is fnmatchcase(text, pattern)


@given(st.text(max_size=20))
@settings(max_examples=examples(200), deadline=None)
def test_a_text_fits_itself_and_a_star(text: str) -> None:
    assert fits(glob(text), text)
    assert fits(glob("*"), text)
    assert fits(literal(text), text)


def test_nothing_but_stars_is_special() -> None:
    assert not fits(glob("/CN=[ab].?"), "/CN=a.b")
    assert not fits(literal("/CN=*"), "/CN=a")


def test_many_stars_cost_little() -> None:
    assert not fits(glob("*a" * 500 + "b"), "a" * 20_000)


@pytest.mark.parametrize(("text", "parts"), [
    ("/vo", ("/vo", "", "")), ("/vo/Role=NULL", ("/vo", "", "")), ("/vo/Role=NULL/Capability=NULL", ("/vo", "", "")),
    ("/vo/g/Role=x", ("/vo/g", "x", "")), ("/vo/Role=x/Capability=y", ("/vo", "x", "y")),
    ("/vo/g/Capability=y", ("/vo/g", "", "y"))])
def test_an_fqan_has_parts(text: str, parts: tuple[str, str, str]) -> None:
    assert FqanParts.parse(text) == parts


@pytest.mark.parametrize(("pattern", "held", "does"), [
    ("/vo", "/vo", True), ("/vo", "/vo/Role=NULL/Capability=NULL", True), ("/vo/Role=NULL", "/vo", True),
    ("/vo", "/vo/Role=x", False), ("/vo", "/vo/g", False), ("/vo", "/VO", False), ("/vo", "/vo2", False),
    ("/vo/*", "/vo", True), ("/vo/*", "/vo/g/h", True), ("/vo/*", "/vo/Role=x", True), ("/vo/*", "/vo/g/Role=x", True),
    ("/vo/*", "/vo2", False), ("/vo/*", "/Vo/g", False), ("/vo*", "/vo2", True),
    ("/vo/Role=x", "/vo/Role=x", True), ("/vo/Role=x", "/vo/Role=X", False), ("/vo/Role=x", "/vo", False),
    ("/vo/Role=x", "/vo/g/Role=x", False), ("/vo/*/Role=x", "/vo/g/Role=x", True), ("/vo/*/Role=x", "/vo/Role=x", True),
    ("/vo/*/Role=x", "/vo/g", False), ("/vo/*/Role=NULL", "/vo/g/Role=x", False), ("/vo/*/Role=NULL", "/vo/g", True),
    ("/vo/Role=*", "/vo/Role=x", True), ("/vo/Role=*", "/vo", False), ("/vo/Role=p*", "/vo/Role=prod", True),
    ("/vo/Role=x", "/vo/Role=x/Capability=c", True), ("/vo/Role=x/Capability=c", "/vo/Role=x", False),
    ("/vo/Role=x/Capability=c", "/vo/Role=x/Capability=c", True), ("*", "/any/Role=x", True)])
def test_what_a_pattern_of_fqans_means(pattern: str, held: str, does: bool) -> None:
    assert FqanPattern.parse(pattern).fits(FqanParts.parse(held)) is does


@pytest.mark.parametrize(("pattern", "path", "does"), [
    ("/a/*", "/a", True), ("/a/*", "/a/b", True), ("/a/*", "/ab", False), ("/a", "/a", True), ("/a", "/a/b", False)])
def test_a_path_is_among_those_below_it(pattern: str, path: str, does: bool) -> None:
    assert fits_path(glob(pattern), path) is does
