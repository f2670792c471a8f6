"""Where output data may go, as far as a worker node can reach it."""

from __future__ import annotations

import pytest

from jobadapter.adapt import Surroundings, adapt
from jobadapter.output_data import Stored, report_name, wanted
from jobadapter.wrapper import Retry
from wms.jdl.described import described
from wms.messages.attempts import Run
from wms.seqcode import START

INFO = """[ ComputingElement = [ name = "ce"; CloseStorageElements = {
    [ name = "se1.org"; mount = "/data/" ], [ name = "SE2.org" ], [ name = "se3.org"; mount = "relative" ] } ];
  StorageElements = {
    [ name = "se2.org"; protocols = { [ name = "gsiftp"; port = 2811 ], [ name = "https"; port = 8443 ] } ],
    [ name = "far.org"; protocols = { [ name = "davs"; port = 0 ] } ], [ name = "se3.org"; protocols = {} ] } ]"""
MOUNTED = "file://se1.org/data/generated/u/out.dat"


def places(more: str, info: str = INFO, extra: str = "") -> list[Stored]:
    text = f'Executable = "/bin/true"; {extra} OutputData = {more};'
    return list(wanted(described(text), info, "u"))


def test_any_close_se_will_do_that_can_be_reached() -> None:
    assert places('[OutputFile = "out.dat"]') == [
        Stored("out.dat", (MOUNTED, "https://SE2.org:8443/generated/u/out.dat"))]


@pytest.mark.parametrize(("se", "found"), [
    ("SE1.org", (MOUNTED,)), ("se2.org", ("https://SE2.org:8443/generated/u/out.dat",)), ("se3.org", ()),
    ("far.org", ("https://far.org/generated/u/out.dat",)), ("unknown.org", ())])
def test_the_se_that_is_named_and_no_other(se: str, found: tuple[str, ...]) -> None:
    assert places(f'[OutputFile = "out.dat"; StorageElement = "{se}"]') == [Stored("out.dat", found)]
    assert places('[OutputFile = "out.dat"]', extra=f'OutputSE = "{se}";') == [Stored("out.dat", found)]


def test_a_list_of_files_in_order_and_names_as_urls_want_them() -> None:
    found = places('{[OutputFile = "./a b"; StorageElement = "se2.org"], [OutputFile = "c"; StorageElement = 7]}')
    assert found[0] == Stored("./a b", ("https://SE2.org:8443/generated/u/a%20b",))
    assert found[1].file == "c"
    assert len(found[1].places) == 2


@pytest.mark.parametrize("info", ["", "[ broken", "[ ]", "[ ComputingElement = 7; StorageElements = 8 ]"])
def test_without_broker_information_nothing_can_be_reached(info: str) -> None:
    assert places('[OutputFile = "out.dat"]', info) == [Stored("out.dat")]


def test_a_job_without_output_data() -> None:
    assert wanted(described('Executable = "/bin/true";'), INFO, "u") == ()


@pytest.mark.parametrize("listed", ['""', '{"DSUpload_u.out"}'])
def test_the_report_comes_back_with_the_output_once(listed: str) -> None:
    sandbox = f"OutputSandbox = {listed};" if len(listed) > 2 else ""
    jdl = f'Executable = "/bin/true"; {sandbox} OutputData = [OutputFile = "out.dat"];'
    run = Run("https://lb:9000/u", 1, jdl, "ce", "local", "q", "c", str(START), broker_info=INFO)
    script = adapt(run, "t", "capability", b"", str(START), Surroundings("https://ns:1", "CA", Retry(0, 0), 9)).script
    assert report_name("u") == "DSUpload_u.out"
    assert script.count("if wms_ready './DSUpload_u.out'") == 1
    assert f"wms_store './out.dat' 'out.dat' '{MOUNTED}'" in script
    assert "\nwms_broker_info\n" in script
