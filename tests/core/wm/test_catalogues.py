"""The languages of data catalogues, and which of them are asked."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wm.catalogues import dli, rucio, static
from wm.catalogues.catalogue import Catalogue, Found, chosen, configured, nowhere
from wms.errors import ConfigError, Unavailable

# -- the configuration -----------------------------------------------------------------------------------

GOOD: dict[str, dict[str, Any]] = {
    "own": {"kind": "static", "file": "/etc/files.yaml"},
    "lfc": {"kind": "dli", "url": "http://lfc.org:8085/", "vos": ["atlas"]},
    "rucio": {"kind": "rucio", "url": "https://rucio.org", "token_file": "/t", "scope": "s", "vos": ["cms"]}}


def test_the_catalogues_in_their_order() -> None:
    assert configured(GOOD) == (
        Catalogue("own", "static", file="/etc/files.yaml"),
        Catalogue("lfc", "dli", url="http://lfc.org:8085/", vos=("atlas",)),
        Catalogue("rucio", "rucio", url="https://rucio.org", token_file="/t", scope="s", vos=("cms",)))


@pytest.mark.parametrize(("given", "problem"), [
    ({}, "kind must be one of static, dli, rucio"), ({"kind": ["dli"]}, "kind must be one of static, dli, rucio"),
    ({"kind": "static"}, "file is missing"), ({"kind": "dli", "url": 7}, "url must be text"),
    ({"kind": "dli", "url": "http://h", "port": 1},
     "unknown key 'port' (known: kind, file, url, token_file, scope, vos)"),
    ({"kind": "dli", "url": "http://h", "vos": "atlas"}, "vos must be a list of names"),
    ({"kind": "dli", "url": "http://h", "vos": [7]}, "vos must be a list of names"),
    *(({"kind": "rucio", "url": url}, "url must be http://HOST... or https://HOST..., without user, query and fragment")
      for url in ("ftp://h", "http://", "http://u@h/", "http://h/?q", "http://h/#f", "http://h:x/", "http://h/ü"))])
def test_what_is_wrong_with_a_catalogue(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        configured({"own": GOOD["own"], "c": given})
    assert raised.value.details["problems"] == [f"information.catalogues.c: {problem}"]


@pytest.mark.parametrize(("vo", "endpoint", "names"), [
    ("atlas", "", ["own", "lfc"]), ("cms", "", ["own", "rucio"]), ("", "", ["own"]),
    ("atlas", "http://LFC.org:8085/", ["lfc"]), ("atlas", "lfc.org:8085/x", ["lfc"]), ("cms", "http://lfc.org/", []),
    ("cms", "https://rucio.org/other", ["rucio"]), ("atlas", "http://169.254.169.254/", []),
    ("atlas", "http://lfc.org@evil.org/", []), ("atlas", "nonsense", [])])
def test_a_job_chooses_among_the_configured_ones_only(vo: str, endpoint: str, names: list[str]) -> None:
    assert [one.name for one in chosen(configured(GOOD), vo, endpoint)] == names


def test_why_nobody_is_asked() -> None:
    assert nowhere("atlas", "http://x/") == "http://x/ is not a data catalogue of this site for the VO atlas"
    assert nowhere("", "") == "this site has no data catalogue for the VO (none)"


# -- a file ----------------------------------------------------------------------------------------------


def test_a_file_of_replicas() -> None:
    assert static.parse("lfn:/x: [srm://a/x, b.org]\nguid:1: {urls: [c], size: 9}\nlfn:/y: {urls: []}") == {
        "lfn:/x": Found(("srm://a/x", "b.org")), "guid:1": Found(("c",), 9), "lfn:/y": Found()}
    assert static.parse("") == {}


@pytest.mark.parametrize(("text", "problem"), [
    ("[a]", "must be a mapping"), ("a: [", "not YAML"), ("a: b", "a: must be a list"), ("7: [b]", "7: must be a list"),
    ("a: [7]", "a: must be"), ("a: {urls: [b], size: -1}", "a: size"), ("a: {urls: [b], size: yes}", "a: size"),
    ("a: {urls: [b], more: 1}", "a: must be"), ("a: {size: 1}", "a: must be")])
def test_what_is_wrong_with_a_file(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=f"files.yaml: {problem}"):
        static.parse(text, "files.yaml")


# -- DLI -------------------------------------------------------------------------------------------------

REPLY = """<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>
<d:listReplicasResponse xmlns:d="urn:DataLocationInterface"><urlList>%s</urlList></d:listReplicasResponse>
</e:Body></e:Envelope>"""


def test_the_call_is_that_of_the_wsdl() -> None:
    body = dli.request("lfn:/grid/a&<b>\n").decode()
    assert '<ns:listReplicas xmlns:ns="urn:DataLocationInterface">' in body
    assert '<inputDataType xsi:type="xsd:string">lfn</inputDataType>' in body
    assert '<inputData xsi:type="xsd:string">lfn:/grid/a&amp;&lt;b&gt;?</inputData>' in body
    assert dli.request("si-guid:1") == dli.request("guid:1")


@given(st.text(max_size=20))
@settings(deadline=None)
def test_any_name_makes_a_call_that_can_be_read(name: str) -> None:
    with pytest.raises(Unavailable, match="not one of listReplicas"):
        dli.answer(200, dli.request("lfn:" + name))


@pytest.mark.parametrize(("name", "known"), [("lfn:/x", True), ("guid:1", True), ("si-lfn:/x", True),
                                             ("query:q", True), ("lds:d", True), ("file:/x", False)])
def test_names_that_the_interface_knows(name: str, known: bool) -> None:
    assert dli.speaks_of(name) is known


def test_replicas_of_an_answer() -> None:
    items = "<item>srm://a/x</item><item xsi:type='t' xmlns:xsi='x'> b.org\n</item><item/><item>b.org</item>"
    assert dli.answer(200, (REPLY % items).encode()) == ("srm://a/x", "b.org")
    assert dli.answer(200, (REPLY % "").encode()) == ()


FAULT = "<E><Fault><faultstring>No such\n file</faultstring></Fault></E>"


@pytest.mark.parametrize(("status", "body", "problem"), [
    (500, FAULT, "fault: No such file"), (200, "<E><faultstring/></E>", "fault: "), (200, "no", "is not SOAP"),
    (503, "<html/>", "status 503"), (500, REPLY % "<item>x</item>", "status 500"),
    (200, '<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>', "is not SOAP"), (200, "", "is not SOAP")])
def test_an_answer_that_is_none(status: int, body: str, problem: str) -> None:
    with pytest.raises(Unavailable, match=problem):
        dli.answer(status, body.encode())


# -- Rucio -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "scope", "did"), [
    ("lfn:user.ada:x.root", "", ("user.ada", "x.root")), ("si-lfn:s:/a:b", "t", ("s", "/a:b")),
    ("lfn:/x", "s", ("s", "/x")), ("lfn:/x", "", None), ("guid:1", "s", None), ("lfn:s:", "", None)])
def test_names_become_data_identifiers(name: str, scope: str, did: rucio.Did | None) -> None:
    assert rucio.did(name, scope) == did


def test_the_question_lists_data_identifiers() -> None:
    assert msgspec.json.decode(rucio.request([("s", "x")])) == {"dids": [{"scope": "s", "name": "x"}]}


def test_one_record_a_line() -> None:
    lines = [{"scope": "s", "name": "x", "bytes": 5, "adler32": "1", "rses": {"A": ["srm://a/x"], "B": ["davs://b/x"]},
              "pfns": {"davs://b/x": {"rse": "B"}}}, {"scope": "s", "name": "y", "bytes": None}]
    body = b"\n".join(map(msgspec.json.encode, lines)) + b"\n\n"
    assert rucio.answer(200, body) == {("s", "x"): Found(("davs://b/x", "srm://a/x"), 5), ("s", "y"): Found()}


@pytest.mark.parametrize(("status", "body", "problem"), [
    (401, b'{"ExceptionClass": "CannotAuthenticate"}', "401: .*CannotAuthenticate"), (200, b"<html>", "not an answer"),
    (200, b'{"name": "x"}', "not an answer"), (200, b'{"scope": "\xff"}', "not an answer")])
def test_an_error_of_rucio(status: int, body: bytes, problem: str) -> None:
    with pytest.raises(Unavailable, match=problem):
        rucio.answer(status, body)


@given(st.integers(100, 599), st.binary(max_size=60))
@settings(deadline=None)
def test_whatever_a_server_answers_is_an_answer_or_unavailable(status: int, body: bytes) -> None:
    for answer in (dli.answer, rucio.answer):
        try:
            answer(status, body)  # type: ignore[operator]
        except Unavailable:
            pass
