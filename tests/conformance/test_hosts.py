"""What every host of commands must do, run against each one with real processes: this host, a login node.

The login node is a real sshd of the tests, on this machine.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from reactor_thread import run, started, until
from twisted.internet.defer import CancelledError, Deferred, ensureDeferred, gatherResults

from tests.ports import free_port
from wms.ce.hosts import Completed, Host
from wms.ce.hosts.choice import choose
from wms.ce.hosts.settings import HostSettings, SshSettings
from wms.errors import Unavailable

SSHD = Path(__file__).parent.parent / "testbed" / "sshd.sh"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


class Sshd(NamedTuple):
    """A login node that can be taken away and brought back."""

    place: Path
    port: int

    def act(self, action: str) -> None:
        subprocess.run([SSHD, action, self.place], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "SSHD_PORT": str(self.port)})

    def settings(self, **more: Any) -> SshSettings:
        return SshSettings(**{"host": "127.0.0.1", "port": self.port, "user": pwd.getpwuid(os.geteuid()).pw_name,
                              "identity": str(self.place / "user"), "known_hosts": str(self.place / "known_hosts"),
                              **more})

    def connections(self) -> int:
        return (self.place / "log" / "sshd.out").read_text().count("Connection from")


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    made = Sshd(tmp_path_factory.mktemp("sshd"), free_port())
    made.act("up")
    yield made
    made.act("down")


Make = Callable[..., Host]


@pytest.fixture
def make(sshd: Sshd) -> Iterator[Make]:
    made: list[Host] = []

    def host(ssh: SshSettings | None, **more: Any) -> Host:
        made.append(choose(HostSettings(ssh=ssh, **more), started()))
        run(made[-1].start())
        return made[-1]

    yield host
    for host_ in made:
        run(host_.stop())


@pytest.fixture(params=["here", "ssh"])
def host(request: pytest.FixtureRequest, sshd: Sshd, make: Make) -> Host:
    ssh = sshd.settings() if request.param == "ssh" else None
    return make(ssh, become="root", environment={"WORD": "given"})


@pytest.fixture
def node(sshd: Sshd, make: Make) -> Host:
    return make(sshd.settings())


def sh(host: Host, script: str, **more: Any) -> Completed:
    return run(host.run(["sh", "-c", script], **more))


def begun(coroutine: Coroutine[Any, Any, Completed]) -> Deferred[Completed]:
    async def begin() -> list[Deferred[Completed]]:
        return [ensureDeferred(coroutine)]

    return run(begin())[0]


async def answers(deferred: Deferred[Any]) -> Any:
    return await deferred


async def cancel(deferred: Deferred[Any]) -> None:
    deferred.cancel()


def number(path: Path) -> int:
    until(lambda: path.exists() and path.read_text().endswith("\n"))
    return int(path.read_text())


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


# -- what goes in and comes out ----------------------------------------------------------------------------


def test_status_and_both_streams_come_back(host: Host) -> None:
    assert sh(host, "echo out; echo err >&2; exit 7") == Completed(7, b"out\n", b"err\n")


def test_the_end_by_a_signal_is_128_and_its_number(host: Host) -> None:
    assert sh(host, "kill -TERM $$").status == 143


def test_stdin_goes_through_as_it_is(host: Host) -> None:
    content = bytes(range(256)) * 1000
    assert run(host.run(["cat"], content)) == Completed(0, content, b"")


def test_without_stdin_there_is_nothing_to_read(host: Host) -> None:
    assert run(host.run(["cat"])) == Completed(0, b"", b"")


@pytest.mark.parametrize("hostile", [
    "", " ", "a b", "'", '"', "\\", "$HOME", "`id`", "$(id)", "line\nline", "\ttab", "é漢字🙂", "-n", "--", "*", "~",
    ";id", "a'b\"c\\d", "!x", "\x01\x7f", "#", "{a,b}", "x=1", "\n", "'\\''"])
def test_hostile_arguments_arrive_as_they_are(host: Host, hostile: str) -> None:
    done = run(host.run(["printf", "%s\\0", hostile, hostile]))
    assert done == Completed(0, (hostile + "\0").encode() * 2, b"")


def test_commands_have_the_environment_that_was_given(host: Host) -> None:
    assert sh(host, 'echo "$LC_ALL $WORD ${WMS_TEST_SESSION-none}"').stdout == b"C given none\n"


def test_the_answer_is_there_when_the_command_ends_though_its_children_go_on(host: Host, tmp_path: Path) -> None:
    script = f"sleep 1000 >/dev/null 2>&1 & echo $! >{tmp_path}/child; echo said"
    assert sh(host, script).stdout == b"said\n"
    os.kill(number(tmp_path / "child"), 9)


# -- what has no answer ------------------------------------------------------------------------------------


def test_a_command_that_is_not_there(host: Host) -> None:
    with pytest.raises(Unavailable, match="no command sbotch"):
        run(host.run(["sbotch", "--version"]))


def test_a_command_that_hangs_is_ended_with_its_children(host: Host, tmp_path: Path) -> None:
    script = f"sleep 1000 & echo $! >{tmp_path}/child; wait"
    with pytest.raises(Unavailable, match=r"no answer in 0\.5 s"):
        sh(host, script, timeout_s=0.5)
    child = number(tmp_path / "child")
    until(lambda: gone(child))
    assert sh(host, "echo next").stdout == b"next\n"


def test_a_command_that_says_too_much(host: Host) -> None:
    assert len(sh(host, "head -c 100000 /dev/zero", most=100_000).stdout) == 100_000
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        sh(host, "head -c 100000 /dev/zero", most=1000)
    with pytest.raises(Unavailable, match="more than 1000 bytes"):
        sh(host, "yes >&2", most=1000)


def test_a_question_that_nobody_waits_for_any_more(host: Host, tmp_path: Path) -> None:
    asked = begun(host.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 1000"], timeout_s=5))
    pid = number(tmp_path / "pid")
    run(cancel(asked))
    with pytest.raises(CancelledError):
        run(answers(asked))
    until(lambda: gone(pid))


def test_nothing_is_asked_of_a_host_that_was_stopped(host: Host, tmp_path: Path) -> None:
    asked = begun(host.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 1000"], timeout_s=5))
    pid = number(tmp_path / "pid")
    run(host.stop())
    with pytest.raises(Unavailable, match="stop"):
        run(answers(asked))
    until(lambda: gone(pid))
    with pytest.raises(Unavailable):
        sh(host, "echo too late")


def test_a_few_run_at_once_and_the_others_wait(host: Host, tmp_path: Path) -> None:
    """Each says how many there are; never more than the eight that may."""
    script = f"mkdir {tmp_path}/$0; ls {tmp_path} | wc -l; rmdir {tmp_path}/$0"
    done = run(_all(host, [["sh", "-c", script, f"d{n}"] for n in range(40)]))
    assert max(int(one.stdout) for one in done) <= 8
    assert len(done) == 40


async def _all(host: Host, commands: list[list[str]]) -> list[Completed]:
    return await gatherResults([ensureDeferred(host.run(argv)) for argv in commands])


# -- as another user ---------------------------------------------------------------------------------------


@ROOT
def test_a_command_runs_as_the_account(host: Host) -> None:
    user = pwd.getpwnam("daemon")
    done = run(host.run(["sh", "-c", "id -u; id -g; id -G; cat"], b"fed\n", account="daemon"))
    assert done.stdout.decode().split("\n") == [str(user.pw_uid), str(user.pw_gid), str(user.pw_gid), "fed", ""]


@ROOT
def test_root_leaves_its_groups_behind_by_sudo_too(make: Make, sshd: Sshd) -> None:
    for ssh in (None, sshd.settings()):
        done = run(make(ssh, become="sudo").run(["sh", "-c", "id -un; id -G; echo $LC_ALL"], account="daemon"))
        assert done == Completed(0, b"daemon\n1\nC\n", b"")


@pytest.mark.parametrize("account", ["no-such-user-here", "-u", "#0", "root;id"])
def test_only_an_account_that_is_one(host: Host, account: str) -> None:
    with pytest.raises(Unavailable):
        run(host.run(["id"], account=account))


def test_nobody_becomes_another_where_that_is_not_set(make: Make, sshd: Sshd) -> None:
    for ssh in (None, sshd.settings()):
        with pytest.raises(Unavailable, match="cannot be run as 'daemon'"):
            run(make(ssh).run(["id"], account="daemon"))


# -- the connection ----------------------------------------------------------------------------------------


def test_a_hundred_commands_are_one_connection(node: Host, sshd: Sshd) -> None:
    before = sshd.connections()
    done = run(_all(node, [["echo", str(n)] for n in range(100)]))
    assert [one.stdout for one in done] == [b"%d\n" % n for n in range(100)]
    assert sshd.connections() - before == 1


def test_a_login_node_that_goes_and_comes_back(node: Host, sshd: Sshd, tmp_path: Path) -> None:
    asked = begun(node.run(["sh", "-c", f"echo $$ >{tmp_path}/pid; exec sleep 1000"]))
    pid = number(tmp_path / "pid")
    sshd.act("down")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1: sh was not answered"):
        run(answers(asked))
    with pytest.raises(Unavailable, match="refused"):
        sh(node, "echo nobody")
    sshd.act("up")
    os.kill(pid, 9)
    assert sh(node, "echo back").stdout == b"back\n"


def test_a_master_that_was_killed_is_replaced(node: Host, sshd: Sshd) -> None:
    sh(node, "true")
    (master,) = masters(sshd)
    os.kill(master, 9)
    until(lambda: gone(master))
    with pytest.raises(Unavailable):
        sh(node, "echo lost")
    assert sh(node, "echo back").stdout == b"back\n"


def test_nothing_is_left_of_a_connection(node: Host, sshd: Sshd) -> None:
    sh(node, "true")
    (master,) = masters(sshd)
    run(node.stop())
    until(lambda: gone(master))
    assert masters(sshd) == []


def masters(sshd: Sshd) -> list[int]:
    """Processes of the client that know this login node; the server is another program."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if line.split(b"\0")[0].endswith(b"ssh") and b"Port=%d\0" % sshd.port in line:
            found.append(int(path.parent.name))
    return found


def test_an_unknown_host_key_is_refused(make: Make, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Unavailable, match="Host key verification failed"):
        sh(make(sshd.settings(known_hosts=str(tmp_path / "empty"))), "true")


def test_a_key_that_is_not_let_in(make: Make, sshd: Sshd) -> None:
    with pytest.raises(Unavailable, match="Permission denied"):
        sh(make(sshd.settings(identity=str(sshd.place / "host"))), "true")
