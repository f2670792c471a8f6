"""Delegated credentials at the Network Server: used while they last, removed when nothing needs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from ns import delegation_rows as rows
from ns.credential_upkeep import KEPT_S as CREDENTIAL_KEPT_S
from ns.delegation_rows import Delegation
from ns.service import HOUSEKEEPING_S
from tests.suite.world import ALICE, BOB, NOW, World
from wms.errors import CredentialExpired
from wms.operations import RegisterRequest

HOUR_S = 3600.0
STEP_S = 1800.0
PLAIN = 'Executable = "/bin/true";'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Alice's credential lasts an hour, its file was written now; bob's lasts for long. Jobs may start late."""
    world = World(tmp_path)
    patient = msgspec.structs.replace(world.settings.ns, register_timeout_s=3 * CREDENTIAL_KEPT_S)
    world.settings = msgspec.structs.replace(world.settings, ns=patient)
    world.reborn()
    delegate(world, NOW + HOUR_S)
    yield world
    world.close()


def delegate(world: World, ends: float) -> None:
    with world.engine.begin() as conn:
        rows.put(conn, Delegation(world.credentials[ALICE], "p", ALICE, ends))
    written(file_of(world, ALICE), world.clock.seconds())


def written(path: Path, when: float) -> None:
    path.write_bytes(b"secret")
    os.utime(path, (when, when))


def file_of(world: World, owner: str) -> Path:
    return world.kit.credentials.path(world.credentials[owner])


def until_it_may_go(world: World) -> None:
    world.advance(HOUR_S + CREDENTIAL_KEPT_S + 2 * STEP_S, step=STEP_S)


def known(world: World) -> bool:
    with world.engine.begin() as conn:
        return rows.find(conn, world.credentials[ALICE]) is not None


def test_a_credential_that_ended_is_removed_with_its_key(world: World):
    world.advance(HOUR_S + CREDENTIAL_KEPT_S - STEP_S, step=STEP_S)
    assert file_of(world, ALICE).exists()
    world.advance(2 * STEP_S, step=STEP_S)
    assert (file_of(world, ALICE).exists(), known(world)) == (False, False)
    assert file_of(world, BOB).exists()


def test_a_credential_is_kept_for_a_job_that_lives(world: World):
    job = str(world.call("ns.register", RegisterRequest(PLAIN, "p")).job)
    until_it_may_go(world)
    assert (file_of(world, ALICE).exists(), known(world)) == (True, True)
    world.call("ns.cancel", job=job)
    world.advance(4 * HOUSEKEEPING_S, step=10)
    assert (file_of(world, ALICE).exists(), known(world)) == (False, False)


def test_a_file_that_was_renewed_is_kept(world: World):
    written(file_of(world, ALICE), NOW + CREDENTIAL_KEPT_S)
    until_it_may_go(world)
    assert (file_of(world, ALICE).exists(), known(world)) == (True, True)


def test_a_key_whose_certificate_never_came_is_removed(world: World):
    old, new = (file_of(world, ALICE).with_name(f"{name}.pending") for name in ("old", "new"))
    written(old, NOW)
    written(new, NOW + 2 * CREDENTIAL_KEPT_S)
    until_it_may_go(world)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_job_is_not_started_with_a_credential_that_ended(world: World):
    delegate(world, NOW + 900)
    job = str(world.call("ns.register", RegisterRequest(PLAIN, "p")).job)
    world.advance(900, step=300)
    with pytest.raises(CredentialExpired):
        world.call("ns.start", job=job)
    delegate(world, NOW + HOUR_S)
    world.call("ns.start", job=job)
    assert world.state(job) == "Scheduled"
