"""Logging & Bookkeeping under load while it is killed, loses its database or its disk: what was acknowledged is on
disk, each event once, and all that follows from events is what follows from them in peace.

WMS_KILL_SEED chooses the moments; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from deployment import Deployment, Wmsd
from lb_faults_audit import audit
from lb_faults_listener import Listener
from lb_load import Load

SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)


@pytest.fixture
def chance() -> random.Random:
    print(f"WMS_KILL_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def service(deployment: Deployment) -> Deployment:
    """On a port of its own, not started."""
    deployment.two_ports()
    return deployment


def no_failures(process: Wmsd) -> None:
    assert process.process.poll() is None
    assert not [line for line in process.lines() if "traceback" in line]


# -- the server is killed --------------------------------------------------------------------------------


def killed(service: Deployment, chance: random.Random, kills: int, longest_s: float) -> None:
    """Load while the server is killed and started again; the first time while children are made."""
    process = service.start("lb")
    load = Load(service, chance.randrange(10**9))
    listener = Listener(service, load.user, chance.randrange(10**9))
    with listener:
        with load:
            assert load.born.wait(30)
            for number in range(kills):
                time.sleep(chance.random() * (longest_s if number else 0.1))
                process.kill()
                process = service.start("lb")
        audit(service, load.ledger, listener)
    print(f"{kills} kills, {listener.connections} connections of the listener, {listener.repeated} notices repeated")
    no_failures(process)


def test_a_server_that_is_killed_keeps_what_it_acknowledged(service: Deployment, chance: random.Random) -> None:
    killed(service, chance, 5, 1.5)
