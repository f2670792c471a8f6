"""Containers and staged input data, as a job description may ask for them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wms.errors import JdlInvalid
from wms.jdl.described import described
from wms.jdl.description import JobDescription
from wms.sandbox import data_name

MINIMAL = 'Executable = "/bin/true"; InputSandbox = {"box.sif", "x.dat"}; '
DATA = 'InputData = {"lfn:/grid/vo/a.dat", "guid:12-ab"}; DataAccessProtocol = "https"; '


def job(text: str) -> JobDescription:
    return described(MINIMAL + text)


def refused(text: str) -> str:
    with pytest.raises(JdlInvalid) as caught:
        job(text)
    return caught.value.message


@pytest.mark.parametrize("image", [
    "box.sif", "./box.sif", "/cvmfs/unpacked.cern.ch/registry.hub.docker.com/library/debian:stable", "/images/a.sif",
    "$VO_DTEAM_SW_DIR/box.sif", "docker://debian:12", "oras://ghcr.io/a/b@sha256:0f", "library://a/b/c:latest"])
def test_images(image: str) -> None:
    assert job(f'Container = "{image}";').container == image


@pytest.mark.parametrize(("image", "said"), [
    ("lost.sif", "Specified path 'lost.sif' is missing"), ("-x", "wrong format"), ("", "wrong format"),
    ("http://x/y", "wrong format"), ("docker://", "wrong format"), ("docker://-x", "wrong format"),
    ("docker://a b", "wrong format"), ("/a`b`", "special characters"), ("dir/box.sif", "is missing"),
    ("docker://a$b", "wrong format"), ("x\\ty", "wrong format")])
def test_what_is_no_image(image: str, said: str) -> None:
    assert said in refused(f'Container = "{image}";')


def test_binds_are_absolute_and_belong_to_a_container() -> None:
    found = job('Container = "box.sif"; ContainerBinds = {"/data", "/a b:/c", "/d:/e:ro", "/f:/g:rw"};')
    assert found.container_binds == ("/data", "/a b:/c", "/d:/e:ro", "/f:/g:rw")
    assert "attributes group not complete" in refused('ContainerBinds = "/data";')


@pytest.mark.parametrize("bind", ["data", "/a:b", "/a:/b:x", "/a,/b", "/a:/b:ro:", "", "/a\\nb", "/a:ro"])
def test_what_is_no_bind(bind: str) -> None:
    assert "wrong format" in refused(f'Container = "box.sif"; ContainerBinds = {{"/x", "{bind}"}};')


def test_data_are_staged_on_demand() -> None:
    assert not job(DATA).stage_input_data
    assert job(DATA + "StageInputData = true;").stage_input_data
    asked = 'DataRequirements = [InputData = "lfn:a"; DataCatalogType = "DLI"]; DataAccessProtocol = "file";'
    assert job(asked + "StageInputData = true;").stage_input_data


def test_there_must_be_data_to_stage() -> None:
    said = refused("StageInputData = true;")
    assert "InputData||DataRequirements,StageInputData attributes group not complete" in said


@pytest.mark.parametrize("data", ['{"lfn:/a/x", "lfn:/b/x"}', '{"lfn:/a/x.dat"}'])
def test_staged_files_share_the_directory_of_the_sandbox(data: str) -> None:
    text = f'InputData = {data}; DataAccessProtocol = "file"; StageInputData = '
    assert "repeated more than once" in refused(text + "true;")
    assert not job(text + "false;").stage_input_data


def test_the_names_of_queries_are_not_known_yet() -> None:
    text = 'InputData = {"query:a/x", "lds:b/x"}; DataAccessProtocol = "file"; StageInputData = true;'
    assert job(text).input_data == ("query:a/x", "lds:b/x")


@pytest.mark.parametrize(("logical", "name"), [
    ("lfn:/grid/vo/x", "x"), ("lfn:x", "x"), ("guid:12-ab", "12-ab"), ("lfn:/a/b/", "b"), ("scope:name", "name"),
    ("plain", "plain"), ("lfn:/", "lfn:/")])
def test_names_of_copies(logical: str, name: str) -> None:
    assert data_name(logical) == name


@given(st.text(min_size=1))
def test_every_copy_has_a_name(logical: str) -> None:
    assert data_name(logical)
