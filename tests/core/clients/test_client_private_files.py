"""Private files are written whole, for their owner alone, and never through a link."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from clients import private_files
from clients.errors import FileUnreadable, FileUnwritable


def test_a_new_file_is_for_its_owner_alone_and_nothing_else_is_left(tmp_path: Path):
    private_files.replace(str(tmp_path / "f"), b"secret")
    assert [(path.name, path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.iterdir()] == [
        ("f", b"secret", 0o600)]


def test_an_open_file_becomes_private_when_it_is_replaced(tmp_path: Path):
    path = tmp_path / "f"
    path.write_bytes(b"old")
    path.chmod(0o666)
    private_files.replace(str(path), b"new")
    assert private_files.read(str(path))[:2] == (b"new", 0o600)


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path: Path):
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    private_files.replace(str(tmp_path / "f"), b"ours")
    assert not (tmp_path / "f").is_symlink()
    assert ((tmp_path / "f").read_bytes(), (tmp_path / "target").read_bytes()) == (b"ours", b"theirs")


def test_what_cannot_be_written_leaves_what_was_there_and_no_rest(tmp_path: Path):
    (tmp_path / "f").mkdir()
    with pytest.raises(FileUnwritable, match="cannot be written"):
        private_files.replace(str(tmp_path / "f"), b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    with pytest.raises(FileUnwritable):
        private_files.replace(str(tmp_path / "none" / "f"), b"x")


def test_removal_overwrites_and_says_whether_there_was_one(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"secret")
    (tmp_path / "kept").hardlink_to(tmp_path / "f")
    assert private_files.remove(str(tmp_path / "f"))
    assert (tmp_path / "kept").read_bytes() == b"\0" * 6
    assert not private_files.remove(str(tmp_path / "f"))


def test_removing_a_link_leaves_what_it_leads_to(tmp_path: Path):
    (tmp_path / "target").write_bytes(b"theirs")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    assert private_files.remove(str(tmp_path / "f"))
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("target", b"theirs")]


def test_a_file_that_is_no_credential_by_its_size(tmp_path: Path):
    (tmp_path / "f").write_bytes(b"x" * (private_files.LARGEST + 1))
    with pytest.raises(FileUnreadable, match="too large"):
        private_files.read(str(tmp_path / "f"))


def test_a_home_is_made_for_its_owner(tmp_path: Path):
    path = tmp_path / "a" / "b" / "f"
    private_files.make_home(str(path))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileUnwritable):
        private_files.make_home(str(tmp_path / "file" / "b" / "f"))
