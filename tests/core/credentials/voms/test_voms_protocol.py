"""What a VOMS server is asked, and what is made of its answers, also of such as no server should give."""

from __future__ import annotations

import base64

import pytest
from credential_builders import person
from hypothesis import given
from hypothesis import strategies as st
from voms_builders import attributes, owner_of, server

from wms.errors import AttributesRefused, BadAttributes, Unavailable
from wms.voms.protocol import answered, command_request, http_request
from wms.voms.vomses import VomsServer

SERVER = VomsServer("testvo", "voms.example.org", 15000, "/CN=voms", "testvo")
AC = attributes(server(), owner_of(person()))
CODED = base64.encodebytes(AC)


def test_http_asks_in_one_line():
    first, *headers = http_request(SERVER, ["/testvo/Role=a/Capability=NULL", "/testvo"], 3600).split(b"\r\n")
    assert first == b"GET /generate-ac?lifetime=3600&fqans=/testvo/Role=a,/testvo HTTP/1.1"
    assert b"Host: voms.example.org:15000" in headers
    assert http_request(SERVER, [], 60.4).startswith(b"GET /generate-ac?lifetime=60 HTTP/1.1\r\n")


@pytest.mark.parametrize(("wanted", "commands"), [
    ([], b"<command>G/testvo</command>"),
    (["/testvo/g/Role=a", "/testvo"], b"<command>B/testvo/g:a</command><command>G/testvo</command>")])
def test_commands_stand_in_the_order_in_which_memberships_are_wanted(wanted: list[str], commands: bytes):
    assert commands + b"<lifetime>60</lifetime>" in command_request(SERVER, wanted, 60)


@pytest.mark.parametrize("make", [http_request, command_request])
def test_nothing_is_smuggled_into_a_request(make):
    with pytest.raises(BadAttributes):
        make(SERVER, ["/testvo HTTP/1.1\r\nX: y"], 60)


@pytest.mark.parametrize("body", [
    b'<?xml version="1.0"?><voms><ac>' + base64.b64encode(AC) + b"</ac></voms>",
    b"<vomsans><version>3</version><error><item><number>3</number><message>shortened</message></item></error><ac>"
    + CODED + b"</ac></vomsans>"])
def test_the_attributes_are_taken_out_and_warnings_do_no_harm(body: bytes):
    assert answered(SERVER, body) == AC


@pytest.mark.parametrize(("body", "said"), [
    (b"<voms><error><code>NoSuchUser</code><message>User\n unknown &amp; gone</message></error></voms>",
     "User unknown & gone"),
    (b"<vomsans><error><item><message>a</message></item><item><message>b</message></item></error><ac>QQ==\n</ac>",
     "a; b"),
    (b"<message>" + b"x" * 600 + b"</message>", "x" * 500), (b"<message>\xff</message>", "\ufffd")])
def test_a_refusal_has_the_servers_words(body: bytes, said: str):
    with pytest.raises(AttributesRefused) as caught:
        answered(SERVER, body)
    assert caught.value.message == f"The VOMS server voms.example.org:15000 refuses: {said}"
    assert caught.value.details == {"vo": "testvo", "said": said}


@pytest.mark.parametrize(("body", "said"), [
    (b"", "cannot be understood"), (b"<html>404</html>", "cannot be understood"),
    (b"<ac>A</ac>", "cannot be understood"), (b"<message> </message>", "cannot be understood"),
    (b"<ac>MAA=</ac>", "cannot be read")])
def test_an_answer_that_says_nothing_means_to_try_later(body: bytes, said: str):
    with pytest.raises(Unavailable, match=said):
        answered(SERVER, body)


def test_the_attributes_are_of_the_vo_that_was_asked_for():
    foreign = attributes(server("other", "voms.example.org"), owner_of(person()))
    with pytest.raises(Unavailable, match="speaks for the VO other, not for testvo"):
        answered(SERVER, b"<ac>" + base64.b64encode(foreign) + b"</ac>")


@given(st.binary(max_size=200) | st.lists(st.sampled_from(
    [b"<ac>", b"</ac>", b"<message>", b"</message>", b"MAA=", b"x", b"&#xD800;", b"&lt;", b"="])).map(b"".join))
def test_no_answer_crashes(body: bytes):
    with pytest.raises((AttributesRefused, Unavailable)):
        answered(SERVER, body)
