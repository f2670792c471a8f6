"""Which replicas of the input data a worker node tries, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobadapter.input_data import Staged, staged
from wms.errors import JdlInvalid
from wms.jdl.described import described

NEAR = """CloseStorageElements = { [ name = "Near.org"; mount = "/storage/" ], [ name = "next.org" ],
  [ name = "odd.org"; mount = "relative" ] }"""
SES = """StorageElements = {
  [ name = "near.org"; protocols = { [ name = "gsiftp"; port = 2811 ], [ name = "file"; port = 0 ] } ],
  [ name = "NEXT.org"; protocols = { [ name = "https"; port = 8443 ], [ name = "root"; port = 0 ] } ],
  [ name = "far.org"; protocols = { [ name = "davs" ] } ] }"""


def places(protocols: str, *urls: str) -> tuple[str, ...]:
    (file,) = files('"lfn:/grid/x.dat"', protocols, [("lfn:/grid/x.dat", urls)])
    assert (file.name, file.logical) == ("x.dat", "lfn:/grid/x.dat")
    return file.places


def files(data: str, protocols: str, known: list[tuple[str, tuple[str, ...]]], more: str = "") -> tuple[Staged, ...]:
    listed = ", ".join(f'[ name = "{name}"; SFNs = {{ {", ".join(f"{chr(34)}{u}{chr(34)}" for u in urls)} }} ]'
                       for name, urls in known)
    info = f'[ ComputingElement = [ name = "ce"; {NEAR} ]; {SES}; InputFNs = {{ {listed} }} ]'
    text = f'Executable = "/bin/true"; InputData = {{{data}}}; DataAccessProtocol = {{{protocols}}}; '
    return staged(described(f"{text} StageInputData = true; {more}"), info)


def test_nothing_is_staged_unless_it_is_asked_for() -> None:
    assert staged(described('Executable = "/bin/true"; InputData = "lfn:/x"; DataAccessProtocol = "file";'), "") == ()


def test_the_closest_first_then_as_the_job_orders_protocols() -> None:
    urls = ("srm://far.org:8446/d/x.dat", "sfn://next.org/d/x.dat", "srm://NEAR.org/storage/vo/x.dat")
    assert places('"https", "gsiftp", "file", "davs"', *urls) == (
        "gsiftp://near.org:2811/storage/vo/x.dat", "file:///storage/vo/x.dat", "file:///storage/storage/vo/x.dat",
        "https://next.org:8443/d/x.dat", "https://far.org/d/x.dat")


@pytest.mark.parametrize(("protocols", "url", "found"), [
    ('"https"', "https://a.org:1094/x y", ("https://a.org:1094/x%20y",)),
    ('"https"', "davs://a.org/x%20y", ("https://a.org/x%20y",)),
    ('"HTTPS", "davs"', "davs://a.org/x", ("https://a.org/x",)),
    ('"http"', "https://a.org/x", ()), ('"http"', "dav://a.org/x", ("http://a.org/x",)),
    ('"root"', "root://u@a.org:1094//d/x", ("root://a.org:1094//d/x",)),
    ('"root"', "srm://next.org/d/x", ("root://next.org//d/x",)),
    ('"srm"', "srm://a.org:8446/m?SFN=/d/x", ("srm://a.org:8446/m?SFN=/d/x",)),
    ('"https"', "srm://next.org:8446/m?SFN=/d/x", ("https://next.org:8443/d/x",)),
    ('"file"', "srm://near.org:8446/m?SFN=/d/x", ("file:///storage/d/x",)),
    ('"file"', "file:///d/x y", ("file:///d/x y",)), ('"file"', "file://localhost/d/x", ("file:///d/x",)),
    ('"file"', "file://a.org/d/x", ()), ('"file"', "srm://odd.org/d/x", ()), ('"file"', "srm://a.org/d/x", ()),
    ('"https"', "https://[::1]:443/x", ("https://[::1]:443/x",)), ('"https"', "nothing", ()),
    ('"rfio"', "rfio://a.org/x", ()), ('"gsiftp"', "srm://unknown.org/x", ()), ('"https"', "lfn://next.org/x", ())])
def test_ways(protocols: str, url: str, found: tuple[str, ...]) -> None:
    assert places(protocols, url) == found


def test_each_file_by_its_name_and_one_without_replicas() -> None:
    known = [("lfn:/a/b", ("https://x/b",)), ("guid:7", ())]
    assert files('"lfn:/a/b", "guid:7"', '"https"', [*known, ("ds:c", ("x",))]) == (
        Staged("b", "lfn:/a/b", ("https://x/b",)), Staged("7", "guid:7"), Staged("c", "ds:c"))


def test_without_a_match_the_names_are_those_of_the_job() -> None:
    assert files('"lfn:/a/b"', '"https"', []) == (Staged("b", "lfn:/a/b"),)


@pytest.mark.parametrize("more", ['InputSandbox = "x.dat";', ""])
def test_names_that_clash_are_refused(more: str) -> None:
    """Those that a query found are seen here first."""
    known = [("a:x.dat", ())] if more else [("a:x", ()), ("b:x", ())]
    with pytest.raises(JdlInvalid, match="repeated more than once"):
        files('"query:q"', '"https"', known, more)


@given(st.lists(st.text(st.sampled_from("srm:/htps.ogfile?=SFN@[]%\\ é"), max_size=25), max_size=4))
def test_any_replica_leads_nowhere_but_to_fit_urls(urls: list[str]) -> None:
    known = [("lfn:/x", tuple(url.replace("\\", "\\\\") for url in urls))]
    for place in files('"lfn:/x"', '"https", "file", "srm", "root"', known)[0].places:
        assert place.isascii() or place.startswith("file://")
        assert " " not in place or place.startswith("file://")
