"""Proxy Renewal among the other daemons, on a hand-moved clock: what is kept alive, for whom, and what is told.

A renewal that succeeds is shown with a real MyProxy server; here nobody listens where it should be.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ns import delegation_rows
from proxyrenewal import store
from proxyrenewal.schedule import Life, milestones
from proxyrenewal.store import Registration
from tests.suite.world import ALICE, NOW, World
from wms import queue
from wms.config import Tls
from wms.errors import JdlInvalid
from wms.messages.credentials import Register
from wms.messages.topics import PROXYRENEWAL
from wms.x509 import proxy
from wms.x509.authority import Issued, host_certificate, make_authority, trust_files, user_certificate

LIFE_S = 3600.0
PLAIN = 'Executable = "/bin/true";'


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The host has a key, and alice has delegated a real proxy of an hour."""
    world = World(tmp_path)
    authority = make_authority(NOW, serial=1, dn="/DC=org/DC=example/CN=CA", kind="ec")
    world.settings = msgspec.structs.replace(world.settings, tls=host_files(world, authority))
    world.reborn()
    credential = world.credentials[ALICE]
    world.kit.credentials.path(credential).write_bytes(alices_proxy(authority))
    with world.engine.begin() as conn:
        delegation_rows.put(conn, delegation_rows.Delegation(credential, "p", ALICE, NOW + LIFE_S))
    yield world
    world.close()


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a MyProxy server that is down: the port is taken, but nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"localhost:{closed.getsockname()[1]}"


def host_files(world: World, authority: Issued) -> Tls:
    host = host_certificate(authority, ["wms.example.org"], NOW, serial=4, kind="ec")
    ca_dir = Path(world.settings.tls.ca_dir)
    for name, content in {**trust_files(authority.certificate), "cert": host.certificate, "key": host.key}.items():
        (ca_dir / name).write_bytes(content)
    return Tls(certificate=str(ca_dir / "cert"), key=str(ca_dir / "key"), ca_dir=str(ca_dir))


def alices_proxy(authority: Issued) -> bytes:
    alice = user_certificate(authority, "alice", NOW, serial=2, kind="ec")
    chain, key = proxy.certificates(alice.certificate), proxy.new_key()
    cert = proxy.new_proxy(chain, proxy.load_key(alice.key), key.public_key(), NOW, LIFE_S, serial=3)
    return proxy.dump(cert, key, chain)


def renewable(myproxy: str) -> str:
    return f'{PLAIN} MyProxyServer = "{myproxy}";'


def kept(world: World) -> Registration | None:
    with world.engine.begin() as conn:
        return store.find(conn, world.credentials[ALICE])


def jobs(world: World) -> list[str]:
    with world.engine.begin() as conn:
        return store.jobs_of(conn, world.credentials[ALICE])


def run(world: World, job: str) -> None:
    token = world.token(job)
    assert world.start_payload(token)
    world.finish_payload(token)


def tags(world: World, job: str) -> dict[str, Any]:
    return dict(world.status(job).get("user_tags", {}))


def test_a_credential_is_kept_until_its_last_job_has_ended(world: World):
    first, second = world.submit(renewable("myproxy.example.org")), world.submit(renewable("myproxy.example.org"))
    assert jobs(world) == sorted([first, second])
    run(world, first)
    assert jobs(world) == [second]
    run(world, second)
    assert kept(world) is None


def test_a_cancelled_job_needs_its_credential_no_more(world: World):
    job = world.submit(renewable("myproxy.example.org"))
    world.call("ns.cancel", job=job)
    world.advance(30)
    assert (world.state(job), kept(world)) == ("Cancelled", None)


@pytest.mark.parametrize("renewable_first", [True, False])
def test_one_job_that_names_a_myproxy_server_makes_the_credential_renewable(world: World, renewable_first: bool):
    descriptions = [renewable("myproxy.example.org"), PLAIN]
    for jdl in descriptions if renewable_first else reversed(descriptions):
        world.submit(jdl)
    found = kept(world)
    assert found is not None
    assert found.myproxy == "myproxy.example.org"
    assert found.next_try < found.not_after - 1800, "it is renewed in time"


def test_so_it_is_when_both_are_registered_at_once(world: World):
    credential = world.credentials[ALICE]
    asked = [("", Register(f"https://lb.example.org:9000/{name}", credential, ALICE, server, NOW + LIFE_S))
             for name, server in (("one", ""), ("two", "myproxy.example.org"), ("three", ""))]
    world.database.transact(queue.put_many, PROXYRENEWAL, asked, now=NOW)
    world.advance(1)
    found = kept(world)
    assert found is not None
    assert (found.myproxy, len(jobs(world))) == ("myproxy.example.org", 3)


def test_a_longer_credential_without_a_server_keeps_the_one_that_is_known(world: World):
    job = world.submit(renewable("myproxy.example.org"))
    before = kept(world)
    longer = Register(job, world.credentials[ALICE], ALICE, "", NOW + 2 * LIFE_S)
    world.database.transact(queue.put, PROXYRENEWAL, longer, now=NOW)
    world.advance(1)
    after = kept(world)
    assert before is not None
    assert after is not None
    assert (after.myproxy, after.not_after, after.next_try) == (before.myproxy, NOW + 2 * LIFE_S, before.next_try)


def watched(world: World, job: str) -> list[tuple[float, str]]:
    """(seconds before the end of the credential, tag) of all that the owner is told until it is forgotten."""
    seen: list[tuple[float, str]] = []
    while kept(world) is not None:
        if (word := tags(world, job).get("proxy_renewal", "")) and word not in [old for _, old in seen]:
            seen.append((NOW + LIFE_S - world.clock.seconds(), word))
        world.advance(30, step=15)
    return seen


def test_the_owner_is_told_at_half_of_the_margin_and_at_the_limit_then_the_job_ends(world: World, nobody: str):
    job = world.submit(renewable(nobody))
    life = Life("certificate", NOW, NOW + LIFE_S)
    seen = watched(world, job)
    _, half, last = (NOW + LIFE_S - at for at in milestones(life))
    assert world.history(job).count("UserTag") == 2
    assert [at for at, _ in seen[:1]] == [pytest.approx(half, abs=90)]
    assert all("failed: " in word and nobody in word and "ends 2023-11-14 23:13:20 UTC" in word for _, word in seen)
    assert NOW + LIFE_S + 60 <= world.clock.seconds() <= NOW + LIFE_S + 180
    world.advance(120)
    status = world.status(job)
    assert status["state"] == "Aborted"
    assert "its renewal failed" in status["reason"]
    assert f"the MyProxy server {nobody} cannot be reached" in status["reason"]
    assert last < half


def test_the_tag_says_what_is_wrong(world: World, nobody: str):
    job = world.submit(renewable(nobody))
    while not tags(world, job):
        world.advance(60, step=30)
    assert f"the MyProxy server {nobody} cannot be reached" in tags(world, job)["proxy_renewal"]


def test_an_address_without_sense_is_refused_at_once(world: World):
    for address in ("host:port", ":7512", "localhost:"):
        with pytest.raises(JdlInvalid, match="MyProxyServer"):
            world.submit(renewable(address))
    assert kept(world) is None


def test_a_credential_that_is_gone_is_a_failure_that_is_told(world: World, nobody: str):
    job = world.submit(renewable(nobody))
    world.kit.credentials.path(world.credentials[ALICE]).unlink()
    while not tags(world, job):
        world.advance(60, step=30)
    assert "No such file" in tags(world, job)["proxy_renewal"]


def test_jobs_of_a_credential_that_nobody_renews_are_warned_in_time_and_end(world: World):
    job = world.submit()
    seen = watched(world, job)
    first = milestones(Life("certificate", NOW, NOW + LIFE_S)).first
    assert seen[0][0] == pytest.approx(NOW + LIFE_S - first, rel=0.1)
    assert seen[0][1] == ("cannot be renewed: none of the jobs names a MyProxyServer; "
                          "the credential ends 2023-11-14 23:13:20 UTC")
    assert world.history(job).count("UserTag") == 2, "and once more at the limit"
    world.advance(120)
    assert "none of the jobs names a MyProxyServer" in world.status(job)["reason"]


def test_no_key_is_ever_in_the_database(world: World):
    world.submit(renewable("myproxy.example.org"))
    with world.engine.begin() as conn:
        dump = "".join(str(conn.execute(table.select()).all()) for table in store.metadata.sorted_tables)
    assert "PRIVATE KEY" not in dump
