"""Credentials at rest: nobody else can read them, and a new key seals what an old one did."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from wms.credentials import PENDING, PROXY, TOKEN, Credentials
from wms.daemon import cli
from wms.errors import ConfigError, SealBroken, WmsError
from wms.sealing import Resealed, reseal
from wms.secret import sealing_key
from wms.vault import MARK, UNSEALED, Vault

OLD, NEW = Vault(b"o" * 32), Vault(b"n" * 32)
HELD = (("a", PROXY), ("b", TOKEN), ("pending/owner/c.mark", PENDING))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "pending" / "owner").mkdir(parents=True, mode=0o700)
    (tmp_path / "pending").chmod(0o700)
    tmp_path.chmod(0o700)
    return tmp_path


def filled(state: Path, vault: Vault) -> Credentials:
    here = Credentials(state, vault)
    for credential, kind in HELD:
        here.write(credential, b"secret of " + credential.encode(), kind)
    return here


def contents(state: Path, vault: Vault) -> list[bytes]:
    return [Credentials(state, vault).read(credential, kind) for credential, kind in HELD]


SECRETS = [b"secret of " + credential.encode() for credential, _ in HELD]


@pytest.mark.parametrize(("before", "after"), [(UNSEALED, NEW), (OLD, NEW), (OLD, UNSEALED)])
def test_a_key_that_is_introduced_changed_or_taken_away(state: Path, before: Vault, after: Vault):
    filled(state, before)
    assert reseal(Credentials(state, after), before) == Resealed(3, 0, ())
    assert contents(state, after) == SECRETS
    stored = [Credentials(state, after).path(*one).read_bytes() for one in HELD]
    assert [one.startswith(MARK) for one in stored] == [bool(after.key)] * 3
    assert {path.stat().st_mode & 0o777 for path in state.rglob("*") if path.is_file()} == {0o600}
    assert reseal(Credentials(state, after), before) == Resealed(0, 3, ())


def test_what_no_key_opens_is_left_as_it_is_and_the_rest_is_sealed(state: Path):
    filled(state, UNSEALED)
    Credentials(state, Vault(b"lost" * 8)).write("x", b"gone", PROXY)
    (state / ".half.pem.01").write_bytes(b"not a credential")
    before = (state / "x.pem").read_bytes()
    assert reseal(Credentials(state, NEW), OLD) == Resealed(3, 0, ("x.pem",))
    assert (state / "x.pem").read_bytes() == before
    assert contents(state, NEW) == SECRETS


def _opened(path: Path) -> None:
    path.chmod(path.stat().st_mode | 0o040)


SPOILED: dict[str, Callable[[Path], None]] = {
    "the directory": _opened, "a directory below": lambda state: _opened(state / "pending" / "owner"),
    "a file": lambda state: _opened(state / "a.pem"), "a pending key": lambda state: (
        state / "pending" / "owner" / "c.mark.pending").chmod(0o604)}


@pytest.mark.parametrize("what", SPOILED)
def test_what_others_can_read_keeps_the_service_from_starting(state: Path, what: str):
    here = filled(state, UNSEALED)
    here.require_private()
    SPOILED[what](state)
    with pytest.raises(ConfigError, match="can be read by others") as refused:
        here.require_private()
    assert "chmod" in refused.value.hint


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_belongs_to_somebody_else_keeps_the_service_from_starting(state: Path):
    here = filled(state, UNSEALED)
    os.chown(state / "b.token", 12345, -1)
    with pytest.raises(ConfigError, match="belongs to user 12345"):
        here.require_private()


def test_the_directory_is_made_private(tmp_path: Path):
    here = Credentials(tmp_path / "new" / "credentials", UNSEALED)
    here.require_private()
    assert here.directory.stat().st_mode & 0o777 == 0o700


# -- the command -----------------------------------------------------------------------------------------


def key(place: Path, byte: bytes) -> Path:
    place.write_bytes(byte * 32)
    place.chmod(0o600)
    return place


def run(directory: Path, *words: str) -> str:
    done = CliRunner().invoke(cli, ["--config", str(directory / "wms.yaml"), "credentials", "seal", *words])
    if isinstance(done.exception, WmsError):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_seals_and_seals_anew(tmp_path: Path):
    first, second = key(tmp_path / "first", b"1"), key(tmp_path / "second", b"2")
    state = tmp_path / "credentials"
    (state / "pending" / "owner").mkdir(parents=True)
    for path in (state, state / "pending", state / "pending" / "owner"):
        path.chmod(0o700)
    filled(state, UNSEALED)
    config = tmp_path / "wms.yaml"
    config.write_text(f"{{state_dir: {tmp_path}, seal_key: {first}}}")
    assert run(tmp_path) == "3 credentials sealed, 0 were already.\n"
    config.write_text(f"{{state_dir: {tmp_path}, seal_key: {second}}}")
    with pytest.raises(SealBroken, match=r"3 cannot be opened with any key: a\.pem, b\.token"):
        run(tmp_path)
    assert run(tmp_path, "--old-key", str(first)) == "3 credentials sealed, 0 were already.\n"
    assert contents(state, Vault(b"2" * 32)) == SECRETS
    config.write_text(f"{{state_dir: {tmp_path}}}")
    assert run(tmp_path, "--old-key", str(second)) == "3 credentials stored unsealed, 0 were already.\n"
    assert contents(state, UNSEALED) == SECRETS


# -- the key ---------------------------------------------------------------------------------------------


def test_the_key_is_that_of_the_file_else_of_the_platform(tmp_path: Path):
    file, given = key(tmp_path / "file", b"f"), tmp_path / "given"
    given.mkdir()
    platform = {"CREDENTIALS_DIRECTORY": str(given)}
    assert sealing_key("", {}) == sealing_key("", platform) == b""
    key(given / "wms-seal.key", b"p").chmod(0o440)  # as systemd gives it
    assert sealing_key("", platform) == b"p" * 32
    assert sealing_key(str(file), platform) == b"f" * 32


@pytest.mark.parametrize(("spoil", "says"), [
    (lambda path: path.unlink(), "cannot be read"), (lambda path: path.write_bytes(b"short"), "no secret of 32"),
    (lambda path: path.chmod(0o640), "can be read by others")])
def test_a_key_that_cannot_be_used_is_not_used(tmp_path: Path, spoil: Callable[[Path], None], says: str):
    file = key(tmp_path / "file", b"f")
    spoil(file)
    with pytest.raises(ConfigError, match=says):
        sealing_key(str(file), {})
