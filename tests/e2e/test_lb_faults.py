"""Logging & Bookkeeping under load while it is killed, loses its database or its disk: what was acknowledged is on
disk, each event once, and all that follows from events is what follows from them in peace.

WMS_KILL_SEED chooses the moments; it is printed, set it to have the same ones again.
"""

from __future__ import annotations

import os
import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from deployment import Deployment, Wmsd, free_ports, until
from lb_faults_audit import audit, everything, looking
from lb_faults_listener import Listener
from lb_faults_means import Postmaster, RudeClients
from lb_load import ANSWER_S, Key, Load

from clients.bookkeeping import Bookkeeping
from clients.upkeep import progress, purge
from lb import ulm_log
from lb.tables import zombies
from lb.upkeep import archive
from wms import config
from wms.event import duplicate_key
from wms.operations.upkeep import Purge

SEED = int(os.environ.get("WMS_KILL_SEED") or time.time_ns() % 1_000_000)
LONG_S = 600.0


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
    killed(service, chance, 4, 1.0)


@pytest.mark.soak
@pytest.mark.timeout(LONG_S)
def test_nor_does_one_on_postgresql_forget(postgresql: str, service: Deployment, chance: random.Random) -> None:
    service.configure(database=postgresql)
    service.migrate()
    killed(service, chance, 25, 3.0)


@pytest.mark.soak
@pytest.mark.timeout(LONG_S)
def test_a_server_that_is_killed_for_a_minute(service: Deployment, chance: random.Random) -> None:
    killed(service, chance, 25, 3.0)


# -- the server is killed while it purges ----------------------------------------------------------------


def test_a_purge_that_is_killed_goes_on_and_loses_no_event(service: Deployment, chance: random.Random) -> None:
    """Jobs go whole or stay whole; the events of those that went are in the file."""
    process = service.start("lb")
    with Load(service, chance.randrange(10**9)) as load:
        time.sleep(0.5)
    with looking(service) as conn:
        old = everything(conn)
    with service.client() as client:
        begun = purge(Bookkeeping(client), Purge(cleared_s=0.0, aborted_s=0.0, cancelled_s=0.0, done_s=0.0,
                                                 other_s=0.0, really=True, background=True, target_s=2.0))
    with Load(service, chance.randrange(10**9), collections=0, name="young", age_s=0.0) as young:
        for _ in range(2):
            time.sleep(chance.random())
            process.kill()
            process = service.start("lb")
        until(lambda: state_of_purge(service) == "done", "the purge to end")
    young.ledger.join(load.ledger)
    audit(service, young.ledger)
    with looking(service) as conn:
        left, dead = everything(conn), set(conn.execute(sa.select(zombies.c.job)).scalars())
    assert dead == set(old)
    assert dead.isdisjoint(left)
    dumped = purged_events(service, begun.file)
    assert {duplicate_key(one) for job in old.values() for one in job.events} == dumped
    no_failures(process)


def state_of_purge(service: Deployment) -> str:
    with service.client() as client:
        return progress(Bookkeeping(client)).state


def purged_events(service: Deployment, name: str) -> set[Key]:
    """The file may have an event twice: it was written before its job went."""
    file = archive.directory(config.load(str(service.site.config), {})) / name
    lines = ulm_log.entries(file.read_bytes().splitlines())
    return {duplicate_key(line.event) for line in lines if isinstance(line, ulm_log.Entry)}


# -- the database goes away ------------------------------------------------------------------------------


@contextmanager
def telling(service: Deployment) -> Iterator[None]:
    """What the last process of it was, and said, is printed: seen where the test fails."""
    try:
        yield
    finally:
        last = service.running[-1]
        print(f"exit status {last.process.poll()}; its log ends with\n{last.log.read_text()[-6000:]}")


def cut(service: Deployment, server: Postmaster, chance: random.Random, away_s: float) -> None:
    """Load while connections are dropped, the server is killed, the database stops answering and is shut down."""
    process = service.start("lb")
    load = Load(service, chance.randrange(10**9))
    with Listener(service, load.user, chance.randrange(10**9)) as listener:
        with telling(service), load:
            assert load.born.wait(30)
            for _ in range(5):
                time.sleep(chance.random() * 0.3)
                server.drop_connections()
            process.kill()
            process = service.start("lb")
            with server.silent():
                time.sleep(max(away_s / 2, ANSWER_S + 0.5))
            time.sleep(0.5)
            with server.down():
                time.sleep(away_s)
        audit(service, load.ledger, listener)
    assert load.ledger.unanswered["TimeoutError"]
    assert load.ledger.turned_away
    assert all(map(is_clear, load.ledger.turned_away))
    assert process.process.poll() is None


def test_a_database_that_goes_away_loses_nothing(workplace: Path, start: Callable[..., dict[str, str]],
                                                 service: Deployment, chance: random.Random) -> None:
    cut(service, postmaster(workplace, start, service), chance, 8.4)


@pytest.mark.soak
@pytest.mark.timeout(LONG_S)
def test_a_database_that_goes_away_for_a_minute_loses_nothing(
        workplace: Path, start: Callable[..., dict[str, str]], service: Deployment, chance: random.Random) -> None:
    cut(service, postmaster(workplace, start, service), chance, 60.0)


def postmaster(workplace: Path, start: Callable[..., dict[str, str]], service: Deployment) -> Postmaster:
    port = str(free_ports(1)[0])
    url = start("postgres", PG_PORT=port, PG_FSYNC="on")["PG_URL"]
    service.configure(database=url)
    service.migrate()
    return Postmaster(workplace / "postgres", url, {"PG_PORT": port, "PG_FSYNC": "on"})


# -- the disk is full ------------------------------------------------------------------------------------


def test_a_full_disk_is_said_and_survived(service: Deployment, chance: random.Random) -> None:
    """Files may not grow for a while: reads are answered, writes are turned away, then all goes on."""
    process = service.start("lb")
    load = Load(service, chance.randrange(10**9))
    with Listener(service, load.user, chance.randrange(10**9)) as listener:
        with load:
            assert load.born.wait(30)
            time.sleep(0.5)
            with full(process, database_file(service)):
                until(lambda: load.ledger.turned_away, "writes to be turned away")
                for _ in range(5):
                    with service.client() as client:
                        assert client.one_status(f"{service.addresses()['WMS_LB']}/c0")["state"]
            time.sleep(0.5)
        audit(service, load.ledger, listener)
    assert all(map(is_clear, load.ledger.turned_away))
    assert process.process.poll() is None
    with looking(service) as conn:
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalars().all() == ["ok"]


def database_file(service: Deployment) -> Path:
    return Path(sa.make_url(config.load(str(service.site.config), {}).database_url()).database or "")


def is_clear(sentence: str) -> bool:
    """One line that says what is wrong, and nothing of what others sent."""
    return sentence.startswith("The database ") and not re.search("INSERT|SELECT|sqlalche|\n", sentence)


@contextmanager
def full(process: Wmsd, database: Path) -> Iterator[None]:
    """No file of this process grows beyond what the database has now."""
    unlimited = resource.RLIM_INFINITY
    sizes = [path.stat().st_size for path in database.parent.glob(f"{database.name}*")]
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (max(sizes) + 65_536, unlimited))
    yield
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (unlimited, unlimited))


# -- clients that behave badly ---------------------------------------------------------------------------


def test_clients_that_leave_or_dawdle_have_no_effect(service: Deployment, chance: random.Random) -> None:
    """Half of a handshake, of a header, of a body: nothing is stored, nothing is held when they are gone."""
    process = service.start("lb")
    with Load(service, chance.randrange(10**9), collections=0) as load:
        time.sleep(0.5)
        rude = RudeClients(service, load.user, chance)
        before = open_files(process)
        for _ in range(2):
            rude.come(30)
            assert process.established() >= 30
            rude.dawdle(1.0)
            rude.leave()
    until(lambda: open_files(process) <= before, "files to be closed")
    audit(service, load.ledger)
    with looking(service) as conn:
        assert not [unique for unique in everything(conn) if unique.startswith("rude")]
    no_failures(process)


def open_files(process: Wmsd) -> int:
    return len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
