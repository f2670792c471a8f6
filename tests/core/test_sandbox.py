"""Names of sandbox files: what is accepted is safe as a plain name, for any text."""

from __future__ import annotations

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import SandboxPathRefused
from wms.sandbox import MAX_NAME, base_name, check_name, is_remote, repeated


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300) | st.from_regex(r"[./a\x00\n]{0,4}"))
def test_an_accepted_name_stays_in_its_directory(name: str) -> None:
    try:
        accepted = check_name(name)
    except SandboxPathRefused:
        accepted = "refused"
    else:
        assert accepted == name
    assert os.path.normpath(os.path.join("/sandbox", accepted)) == "/sandbox/" + accepted
    assert not {"\n", "\0"} & set(accepted)
    assert 0 < len(accepted.encode()) <= MAX_NAME


@pytest.mark.parametrize("name", ["a", "a b.txt", ".hidden", "...", "-rf", "é" * 127, "x" * 255])
def test_ordinary_names_are_accepted(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\nb", "a\0", "\x7f", "é" * 128,
                                  "x" * 256])
def test_dangerous_names_are_refused(name: str) -> None:
    with pytest.raises(SandboxPathRefused):
        check_name(name)


@pytest.mark.parametrize(("entry", "remote", "base"), [
    ("a.sh", False, "a.sh"), ("/home/u/a.sh", False, "a.sh"), ("file:///home/u/a.sh", False, "a.sh"),
    ("gsiftp://se/d/a.dat", True, "a.dat"), ("https://h/a", True, "a"), ("dir/", False, ""), ("a:b", False, "a:b")])
def test_an_entry_is_remote_or_has_a_base_name(entry: str, remote: bool, base: str) -> None:
    assert (is_remote(entry), base_name(entry)) == (remote, base)


@given(st.lists(st.sampled_from("abc")))
def test_repeated_names_are_those_that_occur_twice(names: list[str]) -> None:
    found = repeated(names)
    assert set(found) == {name for name in names if names.count(name) > 1}
    assert len(found) == len(set(found))
