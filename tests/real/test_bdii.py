"""A real directory (OpenLDAP with the GLUE schemas) as a source of resources."""

from __future__ import annotations

import random
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import Logger

from tests.testbed.glue import Queue, glue2, glue13, storage, view
from wm.supply import directory
from wm.supply.market import Market
from wm.supply.purchasers import files
from wms.config import parse
from wms.database import Database
from wms.errors import ConfigError, Unavailable
from wms.service import Kit

SCRIPT = Path(__file__).parent.parent / "testbed" / "bdii.sh"
SHORT, LONG = Queue(), Queue(name="long", rules=("VO:atlas",))
SMALL = [SHORT, LONG, Queue(host="b.example.org", site="SITE-B", free=0)]
ONLY_2 = {"GLUE2", "PurchasedBy"}


def write(place: Path, queues: list[Queue]) -> Path:
    place.mkdir()
    more = view(SHORT, "VO:cms", "cms", GlueCEStateFreeJobSlots=9) + storage("se.example.org", atlas=5, cms=7)
    (place / "grid.ldif").write_text(glue13(*queues) + more)
    (place / "glue.ldif").write_text(glue2(*queues))
    return place


@pytest.fixture(scope="module")
def bdii(start: Callable[..., dict[str, str]], free_port: int, tmp_path_factory: pytest.TempPathFactory
         ) -> dict[str, str]:
    """A directory of three queues in both schemas."""
    ldif = write(tmp_path_factory.mktemp("bdii") / "ldif", SMALL)
    return start("bdii", BDII_PORT=str(free_port), BDII_LDIF=str(ldif))


def ces(url: str) -> dict[str, dict[str, Any]]:
    told = files.directory(directory.ask(url, 20), url)
    assert told.refused == ()
    return {one.id: dict(one.attributes) for one in told.purchase.ces}


def test_glue_13_and_glue_2_of_a_real_directory_give_the_same(bdii: dict[str, str]) -> None:
    one, two = ces(bdii["BDII_GLUE13"]), ces(bdii["BDII_GLUE2"])
    assert sorted(one) == sorted([*two, f"{SHORT.id}/cms"])
    for id in (LONG.id, SMALL[2].id):
        assert {name: value for name, value in two[id].items() if name not in ONLY_2} == {
            name: value for name, value in one[id].items() if name not in ONLY_2}
    assert two[LONG.id]["GLUE2"]["Computing"]["Share"]["MaxCPUTime"] == 172_800


def test_a_directory_says_what_its_ldif_says(bdii: dict[str, str], tmp_path: Path) -> None:
    text = (write(tmp_path / "ldif", SMALL) / "grid.ldif").read_text()
    told = files.directory(directory.ask(bdii["BDII_GLUE13"], 20), "x")
    assert told.purchase == files.parse(text, (), "x.ldif").purchase


def test_more_than_the_server_gives_at_once_comes_in_pages(
        start: Callable[..., dict[str, str]], tmp_path: Path, unused_port: int) -> None:
    many = [Queue(name=f"q{number}", ses={}) for number in range(2_500)]
    started = start("bdii", BDII_PORT=str(unused_port), BDII_LDIF=str(write(tmp_path / "ldif", [SHORT, *many])))
    assert len(ces(started["BDII_GLUE13"])) == 2_502


@pytest.fixture
def unused_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# -- trouble ---------------------------------------------------------------------------------------------


def test_a_directory_that_is_not_there_or_mute_is_unavailable(unused_port: int) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        directory.ask(f"ldap://127.0.0.1:{unused_port}/o=grid", 5)
    with socket.create_server(("127.0.0.1", 0)) as mute, pytest.raises(Unavailable, match="does not answer"):
        directory.ask(f"ldap://127.0.0.1:{mute.getsockname()[1]}/o=grid", 1)


def test_a_base_that_is_not_there_is_unavailable(bdii: dict[str, str]) -> None:
    with pytest.raises(Unavailable, match="refuses to tell: noSuchObject"):
        directory.ask(f"{bdii['BDII_URL']}/mds-vo-name=nowhere,o=grid", 5)


@pytest.mark.parametrize("seed", range(8))
def test_what_is_no_ldap_is_unavailable(seed: int) -> None:
    rng = random.Random(seed)
    bound = bytes.fromhex("300c02010161070a010004000400")
    with socket.create_server(("127.0.0.1", 0)) as hostile:
        def answer() -> None:
            peer, _ = hostile.accept()
            with peer:
                peer.recv(4096)
                for number in range(2):
                    noise = bytearray(bound if number == seed % 2 else rng.randbytes(60))
                    noise[rng.randrange(2, len(noise))] = rng.randrange(256)
                    peer.sendall(noise)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unavailable):
            directory.ask(f"ldap://127.0.0.1:{hostile.getsockname()[1]}/o=grid", 1)
        thread.join()


@pytest.mark.parametrize("url", ["ldap://", "ldap://host:x/o=grid", "http://host/o=grid", "ldap://host:2170"])
def test_a_url_that_names_no_directory_is_a_mistake(url: str) -> None:
    with pytest.raises(ConfigError, match="is not ldap://host:port/base"):
        directory.ask(url, 5)


# -- the market ------------------------------------------------------------------------------------------


class World:
    """A market on one directory, with a hand-moved clock, and all it told of."""

    def __init__(self, url: str) -> None:
        self.clock = Clock()
        self.database = Database("sqlite://", None, inline=True)
        settings = parse(f"information: {{bdii: ['{url}'], bdii_s: 240, bdii_timeout_s: 60}}")
        kit = Kit(settings, self.database, self.clock, random.Random(1), {}, Logger(observer=lambda _event: None),
                  "wms.example.org", ("lb.example.org", 9000), b"")
        self.market = Market(kit)
        self.news: list[frozenset[str]] = []
        self.market.listen(self.news.append)

    def done(self, work: Any) -> Any:
        found: list[Any] = []
        Deferred.fromCoroutine(work).addBoth(found.append)
        return found[0]


@pytest.fixture
def world(start: Callable[..., dict[str, str]], unused_port: int, tmp_path: Path) -> Iterator[tuple[World, str]]:
    """A directory of its own, which the test may stop."""
    directory = tmp_path / "bdii"
    ldif = write(tmp_path / "ldif", SMALL)
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "BDII_PORT": str(unused_port), "BDII_LDIF": str(ldif)}
    subprocess.run([SCRIPT, "up", directory], env=env, check=True, capture_output=True, timeout=60)
    here = World(f"ldap://127.0.0.1:{unused_port}/mds-vo-name=local,o=grid")
    yield here, str(directory)
    here.database.close()
    subprocess.run([SCRIPT, "down", directory], env=env, check=True, capture_output=True, timeout=60)


def test_a_dead_directory_keeps_its_last_word_until_it_expires(world: tuple[World, str]) -> None:
    here, place = world
    assert SHORT.id in here.done(here.market.current()).ces
    subprocess.run([SCRIPT, "down", place], check=True, capture_output=True, timeout=60)
    here.clock.advance(299)
    here.done(here.market.consult())
    assert SHORT.id in here.done(here.market.current()).ces
    here.clock.advance(1)
    last = here.done(here.market.current())
    assert (dict(last.ces), SHORT.id in last.void) == ({}, True)
    assert SHORT.id in here.news[-1]


def test_only_the_ce_that_changed_is_news(world: tuple[World, str]) -> None:
    here, _ = world
    here.done(here.market.current())
    url = here.market.snapshot.ces[LONG.id].source.rpartition(" ")[2]
    change = (f"dn: GlueCEUniqueID={LONG.id},mds-vo-name=SITE-A,mds-vo-name=local,o=grid\nchangetype: modify\n"
              "replace: GlueCEStateFreeJobSlots\nGlueCEStateFreeJobSlots: 17\n")
    subprocess.run(["ldapmodify", "-x", "-H", url.rpartition("/")[0], "-D", "o=grid", "-w", "secret"], input=change,
                   text=True, check=True, capture_output=True, timeout=60)
    here.clock.advance(240)
    here.done(here.market.consult())
    assert here.news[1:] == [frozenset({LONG.id})]
    assert here.market.snapshot.ces[LONG.id].attributes["GlueCEStateFreeJobSlots"] == 17
