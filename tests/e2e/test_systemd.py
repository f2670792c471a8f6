"""The units of etc/systemd under a real systemd: order, death, standstill, payloads that outlive a restart.

Differences to a site, in one drop-in: where `wmsd` and the configuration are, the account, where the log goes,
a shorter watchdog. The manager runs in namespaces of its own (tests/testbed/sdns.sh); root is required.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from deployment import BIN, NAMES, PATIENCE_S, REPOSITORY, Deployment, until

UNITS = REPOSITORY / "etc" / "systemd"
SERVICES = [f"wms@{name}.service" for name in NAMES]
ACCOUNT = "nobody"


@pytest.fixture(autouse=True)
def _as_root() -> None:
    if os.geteuid() != 0:
        pytest.fail("The tests of the systemd units need root: they start a systemd of their own.")


def install(directory: Path, drop_in: str) -> None:
    """The units as they are, and one drop-in."""
    shutil.copytree(UNITS, directory, dirs_exist_ok=True)
    (directory / "wms@.service.d").mkdir()
    (directory / "wms@.service.d" / "site.conf").write_text(drop_in)


def test_the_units_verify_without_a_word(tmp_path: Path) -> None:
    install(tmp_path, f"[Service]\nExecStart=\nExecStart={BIN}/wmsd --config /etc/wms/wms.yaml run %i\n")
    done = subprocess.run(["systemd-analyze", "verify", *SERVICES, "wms.target"], text=True, capture_output=True,
                          env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
                          timeout=PATIENCE_S, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


class Manager:
    """The systemd that runs the service, and the service as its user sees it."""

    def __init__(self, deployment: Deployment, enter: str, log: Path) -> None:
        self.deployment = deployment
        self._enter = shlex.split(enter)
        self._log = log

    def inside(self, *words: str) -> str:
        """A command in the namespaces of the manager; what it prints."""
        done = subprocess.run([*self._enter, *words], text=True, capture_output=True, timeout=PATIENCE_S * 2,
                              check=False)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}\n{self.log()[-3000:]}"
        return done.stdout.strip()

    def show(self, name: str, key: str) -> str:
        return self.inside("systemctl", "show", "--value", "--property", key, f"wms@{name}.service")

    def pid(self, name: str) -> str:
        """Process id of a daemon, in the namespace."""
        return self.show(name, "MainPID")

    def signal(self, name: str, number: signal.Signals) -> None:
        self.inside("systemctl", "kill", "--kill-whom=main", f"--signal={number.name}", f"wms@{name}.service")

    def is_active(self, name: str) -> bool:
        return self.show(name, "ActiveState") == "active"

    def wait_new_life(self, name: str, before: str) -> None:
        """Until systemd has started a daemon again after the process `before`."""
        until(lambda: self.pid(name) not in (before, "0") and self.is_active(name), f"{name} to be started again")

    def log(self) -> str:
        return self._log.read_text() if self._log.exists() else ""

    def said(self, words: str) -> list[str]:
        """Daemons whose log lines are NAME + `words`, in order."""
        lines = [msgspec.json.decode(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line["daemon"] for line in lines if line["message"] == f"{line['daemon']}{words}"]


@pytest.fixture
def manager(deployment: Deployment, workplace: Path, start: Callable[..., dict[str, str]]) -> Manager:
    """A manager that knows the units; schema and directories as the installation leaves them."""
    deployment.two_ports()
    deployment.configure(state_dir="/var/lib/wms", logmonitor={"poll_s": 1.0})
    for path in [deployment.directory, *deployment.directory.rglob("*")]:
        shutil.chown(path, ACCOUNT)
    log = workplace / "sdns" / "wms.log"
    seen = " ".join([str(deployment.directory), *unreachable()])
    install(workplace / "sdns" / "units", drop_in(deployment, log))
    found = Manager(deployment, start("sdns", SDNS_RO=seen)["SDNS_ENTER"], log)
    found.inside("install", "-d", "-o", ACCOUNT, "-m", "0700", "/var/lib/wms")
    found.inside("setpriv", f"--reuid={ACCOUNT}", "--clear-groups", *deployment.command("wmsd", "migrate"))
    return found


def drop_in(deployment: Deployment, log: Path) -> str:
    lines = ["[Service]", "ExecStart=", f"ExecStart={' '.join(deployment.command('wmsd', 'run', '%i'))}",
             f"User={ACCOUNT}", "Group=", f"StandardError=append:{log}", "WatchdogSec=6", "TimeoutAbortSec=1",
             f"BindReadOnlyPaths={deployment.directory}", "Environment=PYTHONDONTWRITEBYTECODE=1"]
    if unreachable():
        lines += ["ProtectHome=tmpfs", f"BindReadOnlyPaths={' '.join(unreachable())}"]
    return "\n".join(lines) + "\n"


def unreachable() -> list[str]:
    """What the interpreter needs of directories that the units and the manager do not see."""
    needed = {sys.base_prefix, sys.prefix, str(REPOSITORY)}
    return sorted(path for path in needed if path.startswith(("/root/", "/home/", "/tmp/")))


def job_that_waits(manager: Manager, name: str) -> tuple[str, str]:
    """A running job that goes on until a file is there; its identifier and the file of its starts."""
    starts = f"/tmp/{name}.starts"
    job = manager.deployment.submit(manager.deployment.jdl(
        f"echo run >>{starts}; until [ -e /tmp/{name}.go ]; do sleep 0.1; done; id -un", f"{name}.jdl"))
    manager.deployment.wait_state(job, "Running")
    return job, starts


def test_the_service_starts_in_order_survives_and_stops_in_reverse(manager: Manager) -> None:
    deployment = manager.deployment
    manager.inside("systemctl", "start", "wms.target")
    assert manager.said(" is ready") == list(NAMES)
    assert [manager.show(name, "ActiveState") for name in NAMES] == ["active"] * 6
    assert manager.show("ns", "StatusText").startswith("ns ")

    job, starts = job_that_waits(manager, "long")
    for name in ("jobadapter", "wm", "lb"):
        before = manager.pid(name)
        manager.signal(name, signal.SIGKILL)
        manager.wait_new_life(name, before)
        assert manager.show(name, "NRestarts") == "1"
    manager.inside("systemctl", "restart", *SERVICES[2:5])

    before = manager.pid("ns")
    manager.signal("ns", signal.SIGSTOP)
    manager.wait_new_life("ns", before)
    assert manager.show("ns", "NRestarts") == "1"

    manager.inside("touch", "/tmp/long.go")
    deployment.wait_state(job, "Done")
    assert manager.inside("cat", starts) == "run"
    deployment.ok("job-output", "--noint", "--dir", str(deployment.directory / "got"), job)
    assert [path.read_text() for path in (deployment.directory / "got").rglob("out")] == [f"{ACCOUNT}\n"]

    told = len(manager.said(" has stopped"))
    manager.inside("systemctl", "stop", "wms.target")
    until(lambda: all(manager.show(name, "ActiveState") == "inactive" for name in NAMES), "all to be inactive")
    assert manager.said(" has stopped")[told:] == list(reversed(NAMES))
    assert {manager.show(name, "Result") for name in NAMES} == {"success"}


def test_a_configuration_that_cannot_be_used_is_not_tried_again(manager: Manager) -> None:
    manager.deployment.configure(colour="red")
    with pytest.raises(AssertionError, match="failed"):
        manager.inside("systemctl", "start", "wms@lb.service")
    assert (manager.show("lb", "ActiveState"), manager.show("lb", "NRestarts")) == ("failed", "0")
    assert "colour: unknown setting" in manager.log()
