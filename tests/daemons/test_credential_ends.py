"""When the credential of a waiting job ends: a renewed one ends later, one that is gone does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from wm.recovery.credentials import Credentials
from wms.messages import Submit
from wms.x509.authority import make_authority

NOW = 1_700_000_000.0


def submit(ends: float) -> Submit:
    return Submit("https://lb.example.org:9000/a", "", "/CN=alice", "", (), "alices", ends, "", NOW)


def file(directory: Path, now: float) -> float:
    """A credential made at `now`; its end."""
    authority = make_authority(now, serial=1, kind="ec")
    (directory / "alices.pem").write_bytes(authority.certificate)
    return Credentials(lambda name: (directory / f"{name}.pem").read_bytes()).ends(submit(0.0), NOW)


def test_a_credential_that_holds_is_not_looked_at(tmp_path: Path) -> None:
    assert Credentials(lambda name: (tmp_path / name).read_bytes()).ends(submit(NOW + 1), NOW) == NOW + 1


def test_a_renewed_one_holds_until_its_own_end(tmp_path: Path) -> None:
    later = file(tmp_path, NOW)
    credentials = Credentials(lambda name: (tmp_path / f"{name}.pem").read_bytes())
    assert later > NOW
    assert credentials.ends(submit(NOW - 1), NOW) == later
    (tmp_path / "alices.pem").unlink()
    assert credentials.ends(submit(NOW - 1), NOW) == later


def test_one_file_is_not_read_for_every_job(tmp_path: Path) -> None:
    credentials = Credentials(lambda name: (tmp_path / f"{name}.pem").read_bytes())
    assert credentials.ends(submit(NOW - 1), NOW) == NOW - 1
    later = file(tmp_path, NOW)
    assert credentials.ends(submit(NOW - 1), NOW + 29) == NOW - 1
    assert credentials.ends(submit(NOW - 1), NOW + 30) == later


@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"])
def test_one_that_cannot_be_read_ends_when_it_was_said_to(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "alices.pem").write_bytes(content)
    assert Credentials(lambda name: (tmp_path / f"{name}.pem").read_bytes()).ends(submit(NOW - 1), NOW) == NOW - 1
