"""Where output goes: addresses any program can read, and none of what may be secret in messages."""

from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, node
from wms.jdl.described import described
from wms.jdl.destinations import Destination, destination_problem, destinations

text = st.text(st.one_of(st.sampled_from("'\"\\\\$`;&|()<>*?[]#%= \t\n\r\x01é€/@:"), st.characters(
    exclude_characters="\0", exclude_categories=["Cs"])), max_size=15)


def told(*places: str) -> dict[str, Destination]:
    entries = [f"f{n}" for n in range(len(places))]
    return destinations(Ad().changed({"OutputSandbox": node(entries), "OutputSandboxDestURI": node(list(places))}))


@pytest.mark.parametrize(("place", "address"), [
    ("davs://se.org:8443/a b", "https://se.org:8443/a%20b"), ("HTTPS://se.org/%41?x=y", "https://se.org/%41?x=y"),
    ("dav://se/x", "http://se/x"), ("gsiftp://se/x", "gsiftp://se/x"), ("file:///a b/é", "file:///a b/é"),
    ("file://localhost/a", "file:///a")])
def test_addresses(place: str, address: str) -> None:
    (one,) = told(place).values()
    assert (one.entry, one.address, one.name) == ("f0", address, "")


def test_a_name_stays_at_the_service() -> None:
    assert told("other") == {"f0": Destination("f0", name="other")}


def test_files_of_a_base_and_of_nothing() -> None:
    ad = Ad().changed({"OutputSandbox": node(["a", "*.b"]), "OutputSandboxBaseDestURI": node("https://se/d//")})
    found = destinations(ad)
    assert {name: one.address for name, one in found.items()} == {"a": "https://se/d/", "*.b": "https://se/d/"}
    assert found["a"].of("x/a b").address == "https://se/d/a%20b"
    assert Destination("a", "file:///d/").of("a b").address == "file:///d/a b"
    assert Destination("a", "https://se/x").of("a").address == "https://se/x"
    assert destinations(Ad().changed({"OutputSandbox": node("a")})) == {}


@pytest.mark.parametrize(("address", "signed"), [
    ("https://s/k?X-Amz-Signature=a", True), ("https://s/k?a=b&Signature=x&Expires=3", True),
    ("https://s/k?Expires=3&Signature=x", True), ("https://s/k?Signature=x", False), ("https://s/k", False),
    ("https://s/Signature=x&Expires=3", False)])
def test_an_address_that_is_a_credential(address: str, signed: bool) -> None:
    assert Destination("a", address).signed is signed


@given(text)
def test_nothing_of_an_address_breaks_a_line_or_a_quote(path: str) -> None:
    (one,) = told(f"https://se.org/{path}").values()
    assert not set(one.address) & set("\"\\\\ \n\r\t")
    assert one.address.isascii()
    assert unquote(one.address) == unquote(f"https://se.org/{path}")
    assert not set(one.shown) & set("\"\\\\' \n")
    assert "?" not in one.shown


def test_no_password_and_no_signature_is_shown() -> None:
    assert Destination("a", "https://me:secret@se/x?sig=secret").shown == "https://se/x"
    assert Destination("a", "file:///a?b").shown == "file:///a%3Fb"


@pytest.mark.parametrize(("place", "problem"), [
    ("a/b", "is not a file name"), ("", "is not a file name"), ("srm://se/x", "the protocol must be one of"),
    ("https:///x", "names no host"), ("https://[x/", "names no host"), ("https://h:99999/", "names no host"),
    ("https://h:0/", "names no host"), ("file://host/x", "must be file:///PATH"), ("file:///", "must be file:///PATH")])
def test_what_is_no_destination(place: str, problem: str) -> None:
    assert problem in (destination_problem(place) or "")
    with pytest.raises(JdlInvalid, match="OutputSandboxDestURI"):
        described(f'Executable = "/x"; OutputSandbox = "a"; OutputSandboxDestURI = "{place}";')


@pytest.mark.parametrize("place", ["a", "https://se/x", "davs://se:1/x", "file:///x", "file://localhost/x"])
def test_what_is_a_destination(place: str) -> None:
    assert destination_problem(place) is None


def test_two_files_have_two_destinations() -> None:
    with pytest.raises(JdlInvalid, match="told more than once"):
        described('Executable = "/x"; OutputSandbox = {"a", "b"}; OutputSandboxDestURI = {"x", "x"};')
