"""What the Network Server demands of a description before it takes the job."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from ns.admission import Admitted, admit, admit_question
from wms.config import Ns, ProxyRenewal, Settings
from wms.errors import (
    JdlError,
    JdlInvalid,
    Refused,
    SandboxFileMissing,
    SandboxPathRefused,
    SandboxTooLarge,
    WmsError,
)
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.operations import File, RegisterRequest

LIMITS = Settings(vo="site", ns=Ns(max_file_bytes=100, max_sandbox_bytes=150, max_input_files=3, max_jdl_bytes=1000))


def body(attributes: str = "", files: tuple[File, ...] = (), **more: Any) -> RegisterRequest:
    return RegisterRequest(f'[ Executable = "/bin/true"; {attributes} ]', "d", files=files, **more)


def job(admitted: Admitted) -> JobDescription:
    assert isinstance(admitted.description, JobDescription)
    return admitted.description


def file(name: str, size: int = 10) -> File:
    return File(name, size, "00")


@pytest.mark.parametrize(("files", "says"), [
    ([file(f"f{index}") for index in range(5)], ""), ([file(f"f{index}") for index in range(6)], "number"),
    ([file("a", 100), file("b", 100)], ""), ([file("a", 100), file("b", 100), file("c", 1)], "201 bytes"),
    ([file("a", 101)], "limit of one file is 100")])
def test_a_compound_brings_more_than_a_job(files: list[File], says: str) -> None:
    limits = Settings(ns=Ns(max_file_bytes=100, max_sandbox_bytes=150, max_input_files=3, max_compound_files=5,
                            max_compound_sandbox_bytes=200))
    asked = RegisterRequest('[ Type = "Collection"; Nodes = {[ Executable = "/x" ]} ]', "d", files=tuple(files))
    if not says:
        assert admit(asked, limits).compound is not None
        return
    with pytest.raises(SandboxTooLarge, match=says):
        admit(asked, limits)


def test_a_plain_job_is_admitted() -> None:
    admitted = admit(body('InputSandbox = {"/home/u/a.sh"}; MyProxyServer = "px.example";', (file("a.sh"),)), LIMITS)
    assert job(admitted).executable == "/bin/true"
    assert (admitted.my_proxy, admitted.submit_to, admitted.vo) == ("px.example", "", "site")


@pytest.mark.parametrize(("attributes", "vo", "found"), [
    ('VirtualOrganisation = "jdl";', "asked", "asked"), ('VirtualOrganisation = "jdl";', "", "jdl"),
    ("", "asked", "asked"), ("", "", "site")])
def test_the_vo_is_the_callers_choice_then_the_descriptions_then_the_sites(
        attributes: str, vo: str, found: str) -> None:
    admitted = admit(body(attributes, vo=vo), LIMITS)
    assert (admitted.vo, described(admitted.jdl).virtual_organisation) == (found, found if attributes else "")


@pytest.mark.parametrize("kind", ["", 'Type = "Collection"; Nodes = {[ Executable = "/bin/true" ]};'])
@pytest.mark.parametrize(("attributes", "vo", "ignored"), [
    ("", "", False), ('VirtualOrganisation = "voms";', "", False), ("", "voms", False), ("", "asked", True),
    ('VirtualOrganisation = "asked";', "asked", True), ('VirtualOrganisation = "voms";', "asked", True)])
def test_the_vo_of_the_credential_overrules_what_was_asked_for(
        attributes: str, vo: str, ignored: bool, kind: str) -> None:
    admitted = admit(body(attributes + kind, vo=vo), LIMITS, "voms")
    assert admitted.vo == "voms"
    assert any("asked is ignored: the credential is of voms" in said for said in admitted.warnings()) == ignored
    assert "asked" not in admitted.jdl


@pytest.mark.parametrize("vo", ["", "voms", "third"])
def test_a_job_of_another_vo_than_its_credentials_is_refused(vo: str) -> None:
    with pytest.raises(Refused, match=r"\(jdl\) is different from delegated Proxy Virtual Organisation \(voms\)"):
        admit(body('VirtualOrganisation = "jdl";', vo=vo), LIMITS, "voms")


@pytest.mark.parametrize(("request_", "error", "says"), [
    (RegisterRequest("[ Executable = ", "d"), JdlError, ""),
    (RegisterRequest('[ Arguments = "x" ]', "d"), JdlInvalid, ""),
    (body('Comment = "' + "x" * 1000 + '";'), SandboxTooLarge, "1000 bytes"),
    (body('InputSandbox = {"a", "b", "c"};', (file("b"),)), SandboxFileMissing, "lacks a, c"),
    (body("", (file("../a"),)), SandboxPathRefused, ""),
    (body("", (file("a"), file("b"), file("a"))), SandboxPathRefused, "'a'"),
    (body("", tuple(file(n) for n in "abcd")), SandboxTooLarge, "number"),
    (body("", (file("a", 101),)), SandboxTooLarge, "limit of one file is 100"),
    (body("", (file("a", -1),)), SandboxTooLarge, "-1 bytes"),
    (body("", (file("a", 100), file("b", 51))), SandboxTooLarge, "151 bytes"),
    (body('VirtualOrganisation = "' + "é" * 256 + '";'), Refused, "virtual organisation has more than 255"),
    (body("", vo="a\0b"), Refused, "NUL"),
    (body('MyProxyServer = "' + "x" * 256 + '";'), Refused, "MyProxyServer"),
    (body('MyProxyServer = "px:port";'), Refused, "MyProxy"),
    (body('InputSandbox = {"a"};', (file("a"),), start=True), Refused, "uploaded")])
def test_what_is_refused_and_why(request_: RegisterRequest, error: type[WmsError], says: str) -> None:
    with pytest.raises(error) as refused:
        admit(request_, LIMITS)
    assert says in refused.value.message
    assert refused.value.status < 500


def test_limits_are_inclusive() -> None:
    files = (file("a", 100), file("b", 50), file("c", 0))
    assert job(admit(body('InputSandbox = {"a", "b", "c"};', files), LIMITS)).input_names == ("a", "b", "c")


def test_a_question_needs_no_sandbox() -> None:
    assert job(admit_question(body('InputSandbox = {"a"};'), LIMITS)).input_sandbox == ("a",)


@pytest.mark.parametrize("text", [
    '[ Type = "Collection"; Nodes = { [ Executable = "/bin/true" ] } ]',
    '[ JobType = "Parametric"; Parameters = 3; Executable = "/bin/true" ]'])
def test_a_compound_has_no_destination_to_ask_for(text: str) -> None:
    with pytest.raises(Refused, match="Operation permitted only for normal job"):
        admit_question(RegisterRequest(text, "d"), LIMITS)


# -- compounds -------------------------------------------------------------------------------------------

WIDE = Settings(vo="site", ns=Ns(max_jdl_bytes=200, max_compound_bytes=400, max_nodes=1000))


@pytest.mark.parametrize("kind", ["Interactive", "Checkpointable", "Normal"])
def test_every_type_of_single_job_is_admitted(kind: str) -> None:
    assert job(admit(body(f'JobType = "{kind}";'), LIMITS)).job_types == (kind,)


def test_a_compound_is_admitted_as_one() -> None:
    text = '[ JobType = "Parametric"; Parameters = 1000; Executable = "/bin/true"; MyProxyServer = "px" ]'
    admitted = admit(RegisterRequest(text, "d"), WIDE)
    assert admitted.compound is not None
    assert (admitted.compound.number, admitted.my_proxy, admitted.submit_to, admitted.vo) == (1000, "px", "", "site")
    assert not admitted.warnings()


def test_a_compound_of_too_many_nodes_is_refused() -> None:
    text = '[ JobType = "Parametric"; Parameters = 1001; Executable = "/bin/true" ]'
    with pytest.raises(Refused, match="1001 nodes; the limit is 1000"):
        admit(RegisterRequest(text, "d"), WIDE)


@pytest.mark.parametrize(("text", "limit"), [
    ('[ Executable = "/bin/true"; Comment = "' + "x" * 200 + '" ]', 200),
    ('[ JobType = "Parametric"; Parameters = 2; Executable = "/bin/true"; Comment = "' + "x" * 400 + '" ]', 400)])
def test_a_job_and_a_compound_have_limits_of_their_own(text: str, limit: int) -> None:
    with pytest.raises(SandboxTooLarge, match=f"more than {limit} bytes"):
        admit(RegisterRequest(text, "d"), WIDE)


def test_a_compound_may_be_longer_than_a_job() -> None:
    text = '[ JobType = "Parametric"; Parameters = 2; Executable = "/bin/true"; Comment = "' + "x" * 200 + '" ]'
    assert admit(RegisterRequest(text, "d"), WIDE).compound is not None


def test_the_files_of_all_nodes_are_the_compounds() -> None:
    text = '[ JobType = "Parametric"; Parameters = 40; Executable = "/bin/true"; InputSandbox = {"in_PARAM_", "b"} ]'
    with pytest.raises(SandboxFileMissing) as refused:
        admit(RegisterRequest(text, "d"), WIDE)
    assert refused.value.message.startswith("The input sandbox lacks b, in0, in1, in10,")
    assert refused.value.message.endswith("and 21 more.")
    assert len(refused.value.details["files"]) == 20


@pytest.mark.parametrize(("attributes", "needed_s"), [
    ("", 3600), ("Requirements = other.GlueCEPolicyMaxWallClockTime > 120;", 7200),
    ('Type = "Collection"; Nodes = {[ Executable = "/x"; Requirements = other.GlueCEPolicyMaxCPUTime >= 90 ]};', 5400)])
def test_what_a_credential_needs_is_what_the_job_or_its_first_node_demands(attributes: str, needed_s: float) -> None:
    assert admit(body(attributes), LIMITS).needed_s == needed_s


def test_what_was_read_leniently_is_a_warning() -> None:
    assert admit(RegisterRequest('[ Executable = "/bin/true"; Requiremens = true; ]', "d"), LIMITS).warnings()


def test_a_site_says_which_myproxy_servers_jobs_may_name() -> None:
    limits = msgspec.structs.replace(LIMITS, proxyrenewal=ProxyRenewal(myproxy_hosts=("px.example", "*.example.org")))
    for allowed in ("px.example", "px.example:7512", "a.example.org"):
        assert admit(body(f'MyProxyServer = "{allowed}";'), limits).my_proxy == allowed
    with pytest.raises(Refused, match="not one that jobs may name") as refused:
        admit(body('MyProxyServer = "10.0.0.1";'), limits)
    assert refused.value.details["value"] == "10.0.0.1"
