"""Names of memberships: one spelling each, and nothing that only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import BadAttributes
from wms.voms.fqans import Fqan, normal, parse, same

words = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True).filter(lambda word: word != "NULL")
fqans = st.builds(Fqan, st.lists(words, min_size=1, max_size=4).map(lambda groups: "/" + "/".join(groups)),
                  words | st.just(""), words | st.just(""))


@given(fqans)
def test_both_forms_are_read_back(fqan: Fqan):
    assert parse(str(fqan)) == parse(fqan.full) == fqan
    assert same(str(fqan), fqan.full)
    assert fqan.group.startswith(f"/{fqan.vo}")


@given(st.text(max_size=60))
def test_any_text_is_one_or_raises_only_its_error(text: str):
    try:
        assert normal(normal(text)) == normal(text)
    except BadAttributes:
        return


@pytest.mark.parametrize(("text", "short"), [
    ("/vo", "/vo"), ("/vo/Role=NULL", "/vo"), ("/vo/Role=NULL/Capability=NULL", "/vo"),
    ("/vo/g/Role=x/Capability=NULL", "/vo/g/Role=x"), ("/vo/Capability=NULL", "/vo"),
    ("/vo/Role=NULL/Capability=c", "/vo/Capability=c"), ("/vo.example.org/g-1_2/Role=VO-Admin",) * 2])
def test_what_says_nothing_is_left_out(text: str, short: str):
    assert normal(text) == short


@pytest.mark.parametrize("text", [
    "", "/", "vo", "//vo", "/vo/", "/vo//g", "/vo/Role=", "/vo/Role=a/Role=b", "/vo/ROLE=a", "/vo/Role=a/g", "/vo\n",
    "/vo/*", "/vo/g h", "/vo/Capability=c/Role=r", "/../vo", "/vo/Role=a&x=1", "/" + "a" * 600])
def test_what_only_looks_like_one_is_refused(text: str):
    with pytest.raises(BadAttributes, match="not the name of a VOMS attribute"):
        parse(text)


@pytest.mark.parametrize(("a", "b"), [("/vo", "/vo/g"), ("/vo/Role=a", "/vo"), ("/vo/Role=a", "/vo/Role=A")])
def test_other_memberships_are_not_the_same(a: str, b: str):
    assert not same(a, b)
