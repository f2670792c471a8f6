"""The shipper on a real spool with a hand-moved clock; the server is a list that answers as LB does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from shell import Shell, result
from twisted.internet.defer import Deferred

from interlogger import files
from interlogger.service import make, spool
from interlogger.shipper import Shipper
from wms.config import parse
from wms.errors import NoBookkeeping, SandboxTooLarge
from wms.event import event
from wms.jobid import JobId
from wms.operations.logging import Logged, RefusedLine
from wms.seqcode import SequenceCode
from wms.service import Kit
from wms.spool import QUARANTINE, WHY, append, is_shipped, refusal
from wms.ulm import from_ulm, to_ulm

HOME = "lb.example.org:9000"


@dataclass
class Server:
    """Takes what it is sent; `fault` comes instead, `refuse` maps values of tags to (reason, permanent)."""

    shell: Shell
    requests: list[tuple[str, list[str]]] = field(default_factory=list)
    fault: Exception | None = None
    refuse: dict[str, tuple[str, bool]] = field(default_factory=dict)
    held: list[Deferred[Logged]] | None = None

    async def __call__(self, server: str, lines: bytes) -> Logged:
        values = [from_ulm(line).fields["value"] for line in lines.decode().split("\n")[:-1]]
        self.requests.append((server, values))
        if self.held is not None:
            self.held.append(Deferred())
            return await self.held[-1]
        if self.fault is not None:
            raise self.fault
        refused = tuple(RefusedLine(number, "LB_TEST", *self.refuse[value])
                        for number, value in enumerate(values, 1) if value in self.refuse)
        return Logged(len(values) - len(refused), 0, refused)

    def got(self) -> list[str]:
        return [value for _server, values in self.requests for value in values]


@dataclass
class Host:
    """A host with a spool and its shipper."""

    shell: Shell
    directory: Path
    server: Server
    kit: Kit
    shipper: Shipper

    def begin(self) -> None:
        result(self.shipper.start())
        result(self.shipper.scan())

    def logs(self, job: str, *values: str, server: str = HOME) -> list[Any]:
        return [append(str(self.directory), id_of(job, server), [tag(job, value, server)]) for value in values]

    def scan(self) -> None:
        result(self.shipper.scan())

    def left(self) -> list[str]:
        return sorted(path.name for path in self.directory.iterdir() if path.name.startswith("dglogd"))

    def aside(self) -> list[str]:
        return sorted(path.name for path in (self.directory / QUARANTINE).iterdir())


def id_of(job: str, server: str = HOME) -> JobId:
    return JobId.parse(f"https://{server}/{job}")


def tag(job: str, value: str, server: str = HOME) -> str:
    return to_ulm(event("UserTag", id_of(job, server), "Application", SequenceCode(app=1), 1000.0, "wn",
                        name="t", value=value))


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    shell = Shell(settings="interlogger: {batch: 4, parallel: 2, quarantine_after_s: 5000}")
    shell.clock.advance(2000.0)
    server, kit = Server(shell), shell.kit()
    made = Host(shell, tmp_path / "spool", server, kit, Shipper(kit, str(tmp_path / "spool"), server))
    made.begin()
    yield made
    result(made.shipper.stop())
    shell.close()


def test_what_is_in_the_spool_is_shipped_and_removed(host: Host) -> None:
    written = host.logs("a", "1", "2") + host.logs("b", "3")
    host.scan()
    assert sorted(host.server.got()) == ["1", "2", "3"]
    assert host.left() == []
    assert all(is_shipped(one) for one in written)
    assert host.shipper.progress()["done"] == 3
    assert host.shipper.progress()["waiting"] == 0


def test_a_long_file_goes_in_batches_in_order(host: Host) -> None:
    values = [str(number) for number in range(11)]
    host.logs("a", *values)
    host.scan()
    assert host.server.got() == values
    assert [len(batch) for _server, batch in host.server.requests] == [4, 4, 3]


def test_jobs_share_a_request_and_servers_do_not(host: Host) -> None:
    host.logs("a", "1")
    host.logs("b", "2")
    host.logs("c", "3", server="other.example.org:9000")
    host.scan()
    assert {server: sorted(values) for server, values in host.server.requests} == {
        HOME: ["1", "2"], "other.example.org:9000": ["3"]}


def test_a_job_is_on_one_request_at_a_time(host: Host) -> None:
    host.server.held = []
    host.logs("a", *"123456")
    host.scan()
    host.scan()
    host.logs("b", "x")
    host.scan()
    assert [values for _server, values in host.server.requests] == [list("1234"), ["x"]]
    first, second = host.server.held
    host.server.held = None
    second.callback(Logged(1, 0))
    first.callback(Logged(4, 0))
    assert host.server.got() == [*"1234", "x", *"56"]
    assert host.left() == []


def test_a_server_that_is_away_is_tried_again_for_ever_and_ever_less_often(host: Host) -> None:
    host.server.fault = NoBookkeeping("connection refused")
    host.logs("a", "1")
    host.scan()
    for _ in range(40):
        host.shell.advance(60.0)
    tries = len(host.server.requests)
    assert 30 < tries < 90
    assert host.shipper.progress()["unreachable"] == [HOME]
    assert host.shipper.progress()["failed"] == tries
    host.server.fault = None
    host.shell.advance(60.0)
    assert host.left() == []
    assert host.shipper.progress()["unreachable"] == []


def test_nor_does_a_fault_of_our_own_lose_an_event(host: Host) -> None:
    host.server.fault = ZeroDivisionError()
    host.logs("a", "1")
    host.scan()
    assert "shipping to {server} failed" in host.shell.said("critical")
    host.server.fault = None
    host.shell.advance(1.0)
    assert host.server.got() == ["1", "1"]
    assert host.left() == []


def test_while_a_server_is_away_one_request_at_a_time_asks_and_others_are_served(host: Host) -> None:
    host.server.fault = NoBookkeeping("away")
    host.logs("a", "1")
    host.scan()
    host.server.fault = None
    before = len(host.server.requests)
    host.logs("b", "2")
    host.logs("c", "3", server="other.example.org:9000")
    host.scan()
    assert host.server.requests[before:] == [("other.example.org:9000", ["3"])]
    host.shell.advance(60.0)
    assert sorted(host.server.got()) == ["1", "1", "2", "3"]


def test_what_is_refused_for_good_is_kept_with_its_reason_and_can_be_given_back(host: Host) -> None:
    host.server.refuse = {"2": ("no such job", True)}
    written = host.logs("a", "1", "2", "3")
    host.scan()
    assert host.server.got() == ["1", "2", "3"]
    assert host.left() == []
    assert refusal(written[1], tag("a", "2")) == "LB_TEST: no such job"
    assert refusal(written[0], tag("a", "1")) == ""
    kept, why = host.aside()
    assert why == kept + WHY
    assert "an event of {job} was put aside: {reason}" in host.shell.said("error")
    host.server.refuse = {}
    (host.directory / QUARANTINE / kept).rename(host.directory / kept)
    host.scan()
    assert host.server.got()[3:] == ["2"]
    assert host.left() == []


def test_what_is_refused_for_now_waits_with_all_that_follows_in_its_job(host: Host) -> None:
    host.server.refuse = {"2": ("not yet", False)}
    host.logs("a", "1", "2", "3")
    host.logs("b", "4")
    host.scan()
    assert len(host.left()) == 2
    host.server.refuse = {}
    host.shell.advance(5.0)
    assert host.server.got()[-2:] == ["2", "3"]
    assert (host.left(), host.aside()) == ([], [])


def test_a_request_that_is_too_large_is_made_smaller_and_a_single_event_is_put_aside(host: Host) -> None:
    host.server.fault = SandboxTooLarge("too large")
    host.logs("a", "1", "2")
    host.scan()
    host.shell.advance(10.0, steps=20)
    assert host.left() == []
    assert [len(values) for _server, values in host.server.requests] == [2, 2, 1, 1][:len(host.server.requests)]
    assert len(host.aside()) == 2


def test_a_new_interlogger_goes_on_where_the_last_one_stopped(host: Host) -> None:
    host.server.refuse = {"2": ("not yet", False)}
    host.logs("a", "1", "2")
    host.scan()
    result(host.shipper.stop())
    host.server.refuse = {}
    host.shipper = Shipper(host.kit, str(host.directory), host.server)
    host.begin()
    assert host.server.got() == ["1", "2", "2"]
    assert host.left() == []


def test_a_control_file_of_another_file_counts_for_nothing(host: Host) -> None:
    host.server.refuse = {"2": ("not yet", False)}
    host.logs("a", "1", "2")
    host.scan()
    (data, control) = host.left()
    (host.directory / data).unlink()
    host.server.refuse = {}
    host.logs("a", "new")
    host.scan()
    assert host.server.got()[-1] == "new"
    assert control not in host.left()


def test_a_second_process_leaves_the_spool_alone_until_the_first_has_ended(host: Host) -> None:
    second = Shipper(host.kit, str(host.directory), host.server)
    result(second.start())
    result(second.scan())
    host.logs("a", "1")
    second.look_at(host.left())
    assert host.server.got() == []
    result(host.shipper.stop())
    host.shell.advance(2.0)
    assert host.server.got() == ["1"]
    result(second.stop())


def test_damage_is_put_aside_and_the_rest_is_shipped(host: Host) -> None:
    path = Path(host.logs("a", "1", "2")[0].path)
    path.write_bytes(path.read_bytes().replace(b'VALUE="1"', b'VALUE="9"'))
    host.scan()
    assert host.server.got() == ["2"]
    assert (host.left(), len(host.aside())) == ([], 2)


def test_a_file_without_a_head_goes_to_the_quarantine_whole(host: Host) -> None:
    (host.directory / "dglogd.log.x").write_bytes(b"rubbish\n")
    (host.directory / "damaged.1").write_bytes(b"more\n")
    (host.directory / "dglogd.log.torn").write_bytes(b"lb-sp")
    host.scan()
    assert host.left() == ["dglogd.log.torn"]
    assert len(host.aside()) == 4
    assert len(host.shell.said("critical")) == 2


def test_two_lines_that_ran_into_one_have_an_end(host: Host) -> None:
    path = Path(host.logs("a", "1", "2", "3")[0].path)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'VALUE="1"\n', b'VALUE="1" '))
    host.scan()
    assert host.server.got() == ["3"]
    path = Path(host.logs("b", "x" * 900_000)[0].path)
    path.write_bytes(path.read_bytes()[:-1])
    for _ in range(3):
        with open(path, "ab") as file:
            file.write(b"y" * 1_500_000)
    host.scan()
    assert host.server.got() == ["3"]


def test_an_event_larger_than_what_is_read_at_once_is_shipped(host: Host) -> None:
    big = "x" * (files.READ + 1000)
    host.logs("a", "1", big, "3")
    host.scan()
    assert host.server.got() == ["1", big, "3"]
    assert host.left() == []


def test_what_a_killed_logger_left_is_never_shipped_and_does_not_stay(host: Host) -> None:
    path = Path(host.logs("a", "1", "2")[0].path)
    path.write_bytes(path.read_bytes()[:-5])
    host.scan()
    assert host.server.got() == ["1"]
    assert host.left() == []


def test_events_no_server_takes_for_very_long_go_to_the_quarantine(host: Host) -> None:
    host.server.fault = NoBookkeeping("away")
    host.logs("a", "1")
    host.scan()
    host.shell.advance(3900.0, steps=60)
    assert host.aside() == []
    host.shell.advance(200.0, steps=4)
    assert host.left() == []
    assert len(host.aside()) == 2
    assert host.shell.said("critical") == ["a file of events was moved to {directory}/quarantine/{target}: {reason}"]


def test_what_is_on_its_way_at_the_end_is_still_in_the_spool(host: Host) -> None:
    host.server.held = []
    host.logs("a", "1")
    host.scan()
    result(host.shipper.stop())
    assert len(host.left()) == 1


def test_the_daemon_is_made_of_the_settings() -> None:
    shell = Shell(settings="state_dir: /var/lib/wms")
    assert [type(part).__name__ for part in make(shell.kit()).parts] == ["Post", "Shipper", "Watch", "Ticker"]
    assert spool(parse("state_dir: /x")) == "/x/lb-spool"
    assert spool(parse("interlogger: {spool: /y}")) == "/y"
    shell.close()


def test_point_12_events_are_on_disk_first_then_shipped_in_order_again_until_taken_and_refused_ones_go_aside(
    host: Host,
) -> None:
    host.server.fault = NoBookkeeping("away")
    host.logs("a", "1", "2", "3")
    assert len(host.left()) == 1
    host.scan()
    host.server.fault, host.server.refuse = None, {"2": ("no such thing", True)}
    host.shell.clock.advance(3600.0)
    host.scan()
    assert host.left() == []
    assert [value for value in host.server.got()[-3:] if value != "2"][-2:] == ["1", "3"]
    assert host.aside() != []
