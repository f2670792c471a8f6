"""Input sandbox files on this machine, output files arriving, and descriptions made ready to be sent."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import files
from clients.errors import FileUnwritable
from clients.preparing import prepare, with_defaults
from clients.settings import Settings
from tests.examples import examples
from wms.errors import (
    ChecksumMismatch,
    JdlError,
    JdlInvalid,
    SandboxFileMissing,
    SandboxPathRefused,
    SandboxTooLarge,
)
from wms.jdl.parser import parse
from wms.jdl.unparse import unparse
from wms.operations import File


@pytest.fixture
def here(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("run.sh", "data/a.dat", "data/b.dat"):
        (tmp_path / name).write_text(name)
    return tmp_path


def names(found: tuple[files.LocalFile, ...]) -> list[str]:
    return [file.name for file in found]


# -- input -----------------------------------------------------------------------------------------------


def test_every_way_to_name_a_local_file(here: Path):
    entries = ["run.sh", f"file://{here}/data/a.dat", "$WHERE/b.dat"]
    found = files.expand(entries, str(here), {"WHERE": str(here / "data")})
    local = files.local_files(found, str(here))
    assert names(local) == ["run.sh", "a.dat", "b.dat"]
    assert [file.path for file in local] == [str(here / name) for name in ("run.sh", "data/a.dat", "data/b.dat")]


def test_wildcards_are_resolved_in_order(here: Path):
    assert files.expand(["data/*.dat"], str(here), {}) == [str(here / "data/a.dat"), str(here / "data/b.dat")]


def test_a_file_whose_name_looks_like_a_wildcard_is_itself(here: Path):
    (here / "x[1].dat").write_text("")
    assert files.expand(["x[1].dat"], str(here), {}) == ["x[1].dat"]


def test_files_from_elsewhere_are_not_looked_at(here: Path):
    entries = ["gsiftp://h/x", "run.sh", str(here / "data/a.dat")]
    assert names(files.local_files(entries, str(here))) == ["run.sh", "a.dat"]
    assert names(files.local_files(entries, str(here), "https://h/dir")) == ["a.dat"]
    assert files.expand(["*.sh"], str(here), {}, "https://h/dir") == ["*.sh"]


@pytest.mark.parametrize(("entry", "words"), [
    ("none", "does not exist"), ("data", "is a directory"), ("*.none", "no file matches"), ("${X}/a", "variable X")])
def test_files_that_are_not_there(here: Path, entry: str, words: str):
    with pytest.raises(SandboxFileMissing, match=words):
        files.local_files(files.expand([entry], str(here), {}), str(here))


def test_two_files_of_one_name_are_refused_even_when_one_comes_from_elsewhere(here: Path):
    with pytest.raises(JdlInvalid, match=r"more than once: 'a\.dat'"):
        files.local_files(["data/a.dat", "https://h/a.dat"], str(here))


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6), st.integers(0, 40), st.integers(0, 100))
def test_sizes_within_the_limits_pass_and_no_others(sizes: list[int], largest: int, most: int):
    sandbox = [files.LocalFile(str(n), str(n), size) for n, size in enumerate(sizes)]
    fits = all(size <= largest for size in sizes) and sum(sizes) <= most
    try:
        files.check_sizes(sandbox, largest, most)
    except SandboxTooLarge:
        assert not fits
    else:
        assert fits


def test_the_record_of_a_file(here: Path):
    (file,) = files.local_files(["run.sh"], str(here))
    assert file.record() == File("run.sh", 6, hashlib.sha256(b"run.sh").hexdigest())


# -- output ----------------------------------------------------------------------------------------------


def response(content: bytes) -> http.client.HTTPResponse:
    return cast(http.client.HTTPResponse, io.BytesIO(content))


def file_of(content: bytes, name: str = "out") -> File:
    return File(name, len(content), hashlib.sha256(content).hexdigest())


@settings(max_examples=examples(30), deadline=None)
@given(content=st.binary(max_size=2000))
def test_what_arrives_is_what_was_announced(tmp_path_factory: pytest.TempPathFactory, content: bytes):
    directory = tmp_path_factory.mktemp("out")
    files.receive(response(content), str(directory), file_of(content))
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == {"out": content}


@pytest.mark.parametrize(("arrived", "error"), [
    (b"other", ChecksumMismatch), (b"content and more", ChecksumMismatch), (b"cont", http.client.IncompleteRead)])
def test_anything_else_leaves_no_trace(tmp_path: Path, arrived: bytes, error: type[Exception]):
    (tmp_path / "out").write_bytes(b"before")
    wanted = file_of(b"content") if arrived != b"other" else File("out", 5, "0" * 64)
    with pytest.raises(error):
        files.receive(response(arrived), str(tmp_path), wanted)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out").read_bytes() == b"before"


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "", ".", "..", "a/b"])
def test_a_service_cannot_choose_where_its_files_go(tmp_path: Path, name: str):
    with pytest.raises(SandboxPathRefused):
        files.receive(response(b""), str(tmp_path), file_of(b"", name))


def test_places_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileUnwritable):
        files.make_directory(str(tmp_path / "file" / "below"))
    with pytest.raises(FileUnwritable):
        files.receive(response(b""), str(tmp_path / "none"), file_of(b""))


def test_a_new_directory_is_the_users_own(tmp_path: Path):
    files.make_directory(str(tmp_path / "a" / "b"))
    assert os.stat(tmp_path / "a" / "b").st_mode & 0o777 == 0o700


# -- descriptions ----------------------------------------------------------------------------------------


def test_a_prepared_description_is_the_one_given_plus_what_was_said_beside_it(here: Path):
    options = parse("SubmitTo = 1; ExpiryTime = 60")
    prepared = prepare('executable = "run.sh"; InputSandbox = "run.sh"; Mine = other.Yours;', str(here), {},
                       Settings(vo="dteam"), attributes={"ExpiryTime": dict(options.attributes)["ExpiryTime"]})
    assert unparse(parse(prepared.jdl)) == (
        '[ executable = "run.sh"; InputSandbox = "run.sh"; Mine = other.Yours; ExpiryTime = 60; '
        'VirtualOrganisation = "dteam" ]')
    assert (names(prepared.files), prepared.vo) == (["run.sh"], "dteam")


def test_wildcards_are_sent_resolved(here: Path):
    prepared = prepare('Executable = "/bin/cat"; InputSandbox = {"data/*"};', str(here), {}, Settings())
    assert names(prepared.files) == ["a.dat", "b.dat"]
    assert "*" not in prepared.jdl


def test_a_question_needs_no_files(here: Path):
    assert prepare('Executable = "x"; InputSandbox = "x";', str(here), {}, Settings(), sandbox=False).files == ()


def test_what_is_wrong_is_found_before_anything_is_sent(here: Path):
    with pytest.raises(JdlError, match=r"mine\.jdl"):
        prepare("a = ;", str(here), {}, Settings(), file="mine.jdl")
    with pytest.raises(JdlInvalid, match="Executable"):
        prepare('StdOutput = "o";', str(here), {}, Settings())


def test_warnings_say_where(here: Path):
    prepared = prepare("Executable = “/bin/date”;", str(here), {}, Settings(), file="slides.jdl")
    assert prepared.warnings
    assert all(warning.startswith("slides.jdl:1:") for warning in prepared.warnings)
    assert len(set(prepared.warnings)) == len(prepared.warnings)


@pytest.mark.parametrize(("jdl", "defaults", "expected"), [
    ("a = 1", "", "[ a = 1 ]"),
    ("Rank = 1", "rank = 2; RetryCount = 5", "[ Rank = 1; RetryCount = 5 ]"),
    ("a = 1", "Requirements = x", "[ a = 1; Requirements = x ]"),
    ("requirements = a || b", "Requirements = x", "[ requirements = (a || b) && x ]"),
    ('Type = "dag"', "RetryCount = 5", '[ Type = "dag"; DefaultNodeRetryCount = 5 ]'),
])
def test_defaults(jdl: str, defaults: str, expected: str):
    assert unparse(with_defaults(parse(jdl), parse(f"[{defaults}]"))) == expected
