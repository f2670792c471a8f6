"""What the Network Server demands of a description before it takes the job."""

from __future__ import annotations

from typing import Any

import pytest

from ns.admission import admit
from wms.config import Ns, Settings
from wms.errors import (
    JdlError,
    JdlInvalid,
    Refused,
    SandboxFileMissing,
    SandboxPathRefused,
    SandboxTooLarge,
    WmsError,
)
from wms.operations import File, RegisterRequest

LIMITS = Settings(vo="site", ns=Ns(max_file_bytes=100, max_sandbox_bytes=150, max_input_files=3, max_jdl_bytes=1000))


def body(attributes: str = "", files: tuple[File, ...] = (), **more: Any) -> RegisterRequest:
    return RegisterRequest(f'[ Executable = "/bin/true"; {attributes} ]', "d", files=files, **more)


def file(name: str, size: int = 10) -> File:
    return File(name, size, "00")


def test_a_plain_job_is_admitted() -> None:
    admitted = admit(body('InputSandbox = {"/home/u/a.sh"}; MyProxyServer = "px.example";', (file("a.sh"),)), LIMITS)
    assert admitted.description.executable == "/bin/true"
    assert (admitted.my_proxy, admitted.submit_to, admitted.vo) == ("px.example", "", "site")


@pytest.mark.parametrize(("attributes", "vo", "found"), [
    ('VirtualOrganisation = "jdl";', "asked", "jdl"), ("", "asked", "asked"), ("", "", "site")])
def test_the_vo_is_the_descriptions_then_the_callers_then_the_sites(attributes: str, vo: str, found: str) -> None:
    assert admit(body(attributes, vo=vo), LIMITS).vo == found


@pytest.mark.parametrize(("request_", "error", "says"), [
    (RegisterRequest("[ Executable = ", "d"), JdlError, ""),
    (RegisterRequest('[ Arguments = "x" ]', "d"), JdlInvalid, ""),
    (body('Comment = "' + "x" * 1000 + '";'), SandboxTooLarge, "1000 bytes"),
    (body('JobType = "Partitionable"; JobSteps = 2;'), Refused, ""),
    (body('InputSandbox = {"a", "b", "c"};', (file("b"),)), SandboxFileMissing, "lacks a, c"),
    (body("", (file("../a"),)), SandboxPathRefused, ""),
    (body("", (file("a"), file("b"), file("a"))), SandboxPathRefused, "'a'"),
    (body("", tuple(file(n) for n in "abcd")), SandboxTooLarge, "number"),
    (body("", (file("a", 101),)), SandboxTooLarge, "limit of one file is 100"),
    (body("", (file("a", -1),)), SandboxTooLarge, "-1 bytes"),
    (body("", (file("a", 100), file("b", 51))), SandboxTooLarge, "151 bytes"),
    (body('InputSandbox = {"a"};', (file("a"),), start=True), Refused, "uploaded")])
def test_what_is_refused_and_why(request_: RegisterRequest, error: type[WmsError], says: str) -> None:
    with pytest.raises(error) as refused:
        admit(request_, LIMITS)
    assert says in refused.value.message
    assert refused.value.status < 500


def test_limits_are_inclusive() -> None:
    files = (file("a", 100), file("b", 50), file("c", 0))
    assert admit(body('InputSandbox = {"a", "b", "c"};', files), LIMITS).description.input_names == ("a", "b", "c")


def test_a_question_needs_no_sandbox() -> None:
    assert admit(body('InputSandbox = {"a"};'), LIMITS, sandbox=False).description.input_sandbox == ("a",)


@pytest.mark.parametrize(("attributes", "ends", "warned"), [
    ("", 3599, True), ("", 3600, False), ('MyProxyServer = "px";', 10, False)])
def test_a_proxy_that_may_end_first_is_a_warning(attributes: str, ends: float, warned: bool) -> None:
    warnings = admit(body(attributes), LIMITS).warnings(ends, 0)
    assert any("will be killed" in text for text in warnings) == warned


def test_what_was_read_leniently_is_a_warning() -> None:
    assert admit(RegisterRequest('[ Executable = "/bin/true"; Requiremens = true; ]', "d"), LIMITS).warnings(1e9, 0)
