"""Where the services are: options before environment before files, and files merged user over site."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from clients.errors import FileUnreadable
from clients.settings import Place, Settings, merged, place, resolve, standard_files, text, texts
from wms.errors import ConfigError
from wms.jdl.ast import node
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse

FILE = """\
[
// the services of dteam
VirtualOrganisation = "dteam";
NSAddresses = {"ns1.cern.ch:7772", "ns2.cern.ch"};
LBAddresses = {{"lb1.cern.ch:9000"}, {"lb2.cern.ch"}};
OutputStorage = "/data/out"; ErrorStorage = "/data/log";
DefaultStatusLevel = 2; DefaultLogInfoLevel = 0; DefaultProxyValidity = 30; RequestTimeout = 5.5;
Rank = other.GlueCEStateFreeCPUs;
JdlDefaultAttributes = [ RetryCount = 1; Rank = 7 ]
]
"""


def written(directory: Path, content: str = FILE, name: str = "conf") -> str:
    path = directory / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return str(path)


def of(directory: Path, **environment: str) -> Settings:
    return resolve(environment, config=[written(directory)], shuffle=random.Random(1))


def test_everything_a_file_can_say(tmp_path: Path):
    found = of(tmp_path)
    assert set(found.ns) == {Place("ns1.cern.ch", 7772), Place("ns2.cern.ch", 7772)}
    assert found.lb == found.bookkeepers() == (Place("lb1.cern.ch", 9000), Place("lb2.cern.ch", 9000))
    assert (found.vo, found.vo_from) == ("dteam", "from --config option")
    assert (found.output_storage, found.error_storage) == ("/data/out", "/data/log")
    assert (found.status_level, found.logging_level, found.min_proxy_s, found.request_s) == (2, 0, 1800.0, 5.5)
    assert unparse(found.jdl_defaults) == "[ RetryCount = 1; Rank = 7 ]"


def test_the_environment_is_stronger_than_a_file(tmp_path: Path):
    found = of(tmp_path, WMS_ENDPOINT="https://here:1234", WMS_LB="there:5")
    assert (found.ns, found.lb) == ((Place("here", 1234),), (Place("there", 5),))


def test_an_endpoint_is_also_where_bookkeeping_is_asked(tmp_path: Path):
    assert of(tmp_path, WMS_ENDPOINT="https://here:1234").bookkeepers() == (Place("here", 1234),)


def test_options_are_stronger_than_the_environment(tmp_path: Path):
    found = resolve({"WMS_ENDPOINT": "https://no:1"}, endpoint="https://yes:2", vo="cms",
                    config=[written(tmp_path)])
    assert found.ns == (Place("yes", 2),)
    assert (found.vo, found.vo_from) == ("cms", "from --vo option")


def test_nothing_configured_is_an_error_only_when_a_server_is_needed():
    found = resolve({})
    assert found == Settings()
    with pytest.raises(ConfigError, match="No Network Server is configured") as caught:
        found.network_servers()
    assert "WMS_ENDPOINT" in caught.value.hint


def test_the_file_of_the_vo_is_found_at_home_and_the_file_of_a_variable_first(tmp_path: Path):
    written(tmp_path, 'NSAddresses = "home:1"; OutputStorage = "/home"', ".glite/dteam/glite_wmsui.conf")
    variable = written(tmp_path, '[ WmsClient = [ OutputStorage = "/first" ] ]', "mine")
    found = resolve({"HOME": str(tmp_path), "GLITE_WMS_CLIENT_CONFIG": variable}, vo="DTEAM")
    assert (found.ns, found.output_storage) == ((Place("home", 1),), "/first")
    assert found.files[0] == variable


def test_the_vo_of_the_environment_comes_last():
    assert resolve({"WMS_VO": "cms"}).vo == "cms"


def test_the_word_unspecified_means_no_vo(tmp_path: Path):
    assert resolve({}, config=[written(tmp_path, 'DefaultVo = "unspecified";')]).vo == ""


def test_the_site_is_asked_after_the_user():
    places = standard_files({"HOME": "/h", "GLITE_LOCATION": "/opt/x"}, "CMS")
    assert places[0] == "/h/.glite/cms/glite_wmsui.conf"
    assert places.index("/etc/glite-wms/cms/glite_wmsui.conf") < places.index("/opt/x/etc/cms/glite_wmsui.conf")
    assert standard_files({}, "")[-1] == "/usr/local/etc/glite_wmsui_cmd_var.conf"


def test_defaults_for_jobs_are_merged_attribute_by_attribute():
    found = merged([parse("JdlDefaultAttributes = [ a = 1 ]; x = 1"),
                    parse("jdldefaultattributes = [ A = 2; b = 2 ]; X = 2; y = 2")])
    assert unparse(found) == "[ JdlDefaultAttributes = [ a = 1; b = 2 ]; x = 1; y = 2 ]"


def test_every_wrong_number_is_named(tmp_path: Path):
    path = written(tmp_path, 'DefaultStatusLevel = 9; DefaultProxyValidity = "long"; RequestTimeout = true')
    with pytest.raises(ConfigError) as caught:
        resolve({}, config=[path])
    assert [line.split()[0] for line in caught.value.message.splitlines()] == [
        "DefaultStatusLevel", "DefaultProxyValidity", "RequestTimeout"]


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(FileUnreadable, match="No such file"):
        resolve({}, config=[str(tmp_path / "none")])
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(FileUnreadable, match="not text"):
        resolve({}, config=[str(tmp_path / "binary")])
    with pytest.raises(ConfigError, match=r"configuration file .* row 1, column 7"):
        resolve({}, config=[written(tmp_path, "a = b c")])


@pytest.mark.parametrize(("address", "expected"), [
    ("https://h.org:9000/", Place("h.org", 9000)), ("H.org", Place("h.org", 7772)), ("h:1", Place("h", 1)),
    ("https://[::1]:9000", Place("[::1]", 9000)), ("[::1]", Place("[::1]", 7772)),
    ("https://user@h:1/path", Place("h", 1)),
])
def test_addresses(address: str, expected: Place):
    assert place(address, 7772) == expected
    assert place(str(expected), 1) == expected


@pytest.mark.parametrize("address", ["http://h:1", "https://", "h:x", "a b", "h:99999", "h:0"])
def test_what_is_no_address(address: str):
    with pytest.raises(ConfigError):
        place(address, 7772)


def test_texts_of_nodes():
    assert texts(node([["a"], "b", 1])) == ["a", "b"]
    assert (texts(node("a")), texts(None), text(node(1))) == (["a"], [], "")
