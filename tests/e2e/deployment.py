"""A private service in a temporary directory: certificates, configuration, `wmsd` processes, commands as typed.

Every process is ended by its id when the deployment is closed, and then nothing of it may be left running.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TypeVar

import msgspec
import sqlalchemy as sa

from clients import credential, settings, site
from clients.api import Client
from clients.site import Site
from tests.ports import free_ports
from wms import beat, config
from wms.engine import make_engine
from wms.queue import messages

REPOSITORY = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
NAMES = ("lb", "proxyrenewal", "logmonitor", "jobadapter", "wm", "ns")
WRAPPERS_S = 10.0
PATIENCE_S = 60.0
LOOK_S, SELDOM_S = 0.02, 0.16
"""How soon something is looked at again, and how soon at least: a look may cost as much as what it waits for."""

T = TypeVar("T")


def until(found: Callable[[], T], what: str, patience_s: float = PATIENCE_S) -> T:
    """The first true value of `found()`; fails naming `what` it waited for."""
    end, pause_s = time.monotonic() + patience_s, LOOK_S
    while not (value := found()):
        assert time.monotonic() < end, f"waited {patience_s:g} s for: {what}"
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.5, SELDOM_S)
    return value


def belonging_to(directory: Path) -> dict[int, str]:
    """Processes that run in `directory` or name it in their command line: id -> command."""
    found: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                place = Path(os.readlink(entry / "cwd"))
                if command and (str(directory) in command or place.is_relative_to(directory)):
                    found[int(entry.name)] = command
    return found


def assert_nothing_runs(directory: Path, patience_s: float = 10.0) -> None:
    """What still belongs to `directory` after a while is killed, and a failure."""
    end = time.monotonic() + patience_s
    while (left := belonging_to(directory)) and time.monotonic() < end:
        time.sleep(SELDOM_S)
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"still running: {left}"


class Wmsd:
    """One `wmsd run` process; its log is a file of JSON lines."""

    def __init__(self, deployment: Deployment, names: tuple[str, ...]) -> None:
        self.name = names[0] if len(names) == 1 else "suite"
        self.log = deployment.directory / "log" / f"{self.name}.log"
        self._beat = beat.beat_path(str(deployment.site.state), self.name)
        self.log.parent.mkdir(exist_ok=True)
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(deployment.command("wmsd", "run", *names), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=deployment.directory,
                                            env=deployment.shell())

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def is_ready(self) -> bool:
        """Has this very process said that it is ready?"""
        found = beat.read(self._beat)
        return found is not None and found.pid == self.pid and found.ready

    def wait_ready(self) -> Self:
        def ready_or_dead() -> bool:
            return self.is_ready or self.process.poll() is not None

        until(ready_or_dead, f"{self.name} to be ready")
        assert self.process.returncode is None, self.log.read_text()[-3000:]
        return self

    def kill(self) -> None:
        """SIGKILL: no chance to say anything."""
        self.process.kill()
        self.process.wait()

    def terminate(self) -> int:
        """SIGTERM; the exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE_S)

    def established(self) -> int:
        """How many connections it holds open."""
        mine = {os.readlink(fd)[8:-1] for fd in Path(f"/proc/{self.pid}/fd").iterdir()
                if os.readlink(fd).startswith("socket:")}
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[3] == "01" and row[9] in mine for row in rows)

    def lines(self) -> list[dict[str, Any]]:
        """The log, which must be JSON objects only, one a line."""
        return [msgspec.json.decode(line, type=dict[str, Any]) for line in self.log.read_bytes().splitlines()]


class Deployment:
    """A service of one's own, below one directory."""

    def __init__(self, directory: Path, slots: int = 2) -> None:
        self.directory = directory
        self.site = Site(directory)
        self.running: list[Wmsd] = []
        site.prepare(self.site, slots)

    def copy(self, directory: Path) -> Deployment:
        """The same elsewhere, at a port of its own: certificates and schema need not be made again."""
        shutil.copytree(self.directory, directory)
        made = Deployment(directory)
        made.site.config.write_text(made.site.config.read_text().replace(str(self.directory), str(directory)))
        (port,) = free_ports(1)
        made.configure(ns={"listen": f"127.0.0.1:{port}"}, lb={"listen": f"127.0.0.1:{port}"})
        return made

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def configure(self, **changes: Any) -> None:
        """Change the configuration file: `ns={"listen": ...}` is merged, anything else replaces."""
        values = msgspec.yaml.decode(self.site.config.read_bytes())
        for key, value in changes.items():
            values[key] = {**values.get(key, {}), **value} if isinstance(value, Mapping) else value
        self.site.config.write_bytes(msgspec.yaml.encode(values))

    def two_ports(self) -> None:
        """The Network Server and LB apart, as on two hosts."""
        ns, lb = free_ports(2)
        self.configure(ns={"listen": f"127.0.0.1:{ns}"}, lb={"listen": f"127.0.0.1:{lb}"})

    # -- processes ---------------------------------------------------------------------------------------

    def environment(self, **more: str) -> dict[str, str]:
        """What a user's shell has: the installed commands, the service, a home of its own."""
        return {**self.shell(), **self.addresses(), **more}

    def shell(self) -> dict[str, str]:
        """What every shell has."""
        return {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(self.directory), "LANG": "C.UTF-8"}

    def addresses(self) -> dict[str, str]:
        """The variables that point commands at the services."""
        bookkeeper = msgspec.yaml.decode(self.site.config.read_bytes())["lb"]["listen"].rpartition(":")[2]
        return {**site.environment(self.site), "WMS_LB": f"https://{site.site_host()}:{bookkeeper}"}

    def command(self, program: str, *words: str) -> list[str]:
        if program == "wmsd":
            return [str(BIN / "wmsd"), "--config", str(self.site.config), *words]
        return [str(BIN / program), *words]

    def run(self, program: str, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """A command to its end, whatever that is."""
        given = self.shell() if program == "wmsd" else self.environment()
        return subprocess.run(self.command(program, *words), env={**given, **environment},
                              cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=PATIENCE_S, check=False)

    def ok(self, program: str, *words: str) -> str:
        """What a command that must succeed prints."""
        done = self.run(program, *words)
        assert done.returncode == 0, f"{program} {' '.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def json(self, program: str, *words: str) -> Any:
        return json.loads(self.ok(program, *words, "--json"))

    def migrate(self) -> None:
        self.ok("wmsd", "migrate")

    def spawn(self, *names: str) -> Wmsd:
        """`wmsd run NAMES`, not waited for."""
        process = Wmsd(self, names)
        self.running.append(process)
        return process

    def start(self, *names: str) -> Wmsd:
        """`wmsd run NAMES`, ready."""
        return self.spawn(*names).wait_ready()

    def start_apart(self) -> dict[str, Wmsd]:
        """Each daemon as a process of its own, all ready."""
        processes = {name: self.spawn(name) for name in NAMES}
        for process in processes.values():
            process.wait_ready()
        return processes

    # -- jobs --------------------------------------------------------------------------------------------

    def client(self) -> Client:
        """The Python client as the user of this service."""
        found = credential.look(str(self.site.proxy), str(self.site.certificates), time.time(), 0.0)
        return Client(settings.resolve({"WMS_VO": "local", **self.addresses()}), found)

    def submit(self, *words: str) -> str:
        """`job-submit`; the job identifier."""
        return str(self.json("job-submit", "--noint", *words)["jobid"])

    def jdl(self, script: str, name: str = "job.jdl", **more: str) -> str:
        """A job that runs a line of shell; the path of its description, StdOutput in `out`."""
        quoted = script.replace("\\", "\\\\").replace('"', '\\"')
        lines = ['Executable = "/bin/sh";', f"Arguments = \"-c '{quoted}'\";", 'StdOutput = "out";',
                 'OutputSandbox = {"out"};', *(f"{key} = {value};" for key, value in more.items())]
        path = self.directory / name
        path.write_text("[" + "\n".join(lines) + "]")
        return str(path)

    def state(self, job: str) -> str:
        with self.client() as client:
            return str(client.one_status(job).get("state"))

    def wait_state(self, job: str, state: str, patience_s: float = PATIENCE_S) -> None:
        with self.client() as client:
            until(lambda: client.one_status(job).get("state") == state, f"{job} to be {state}", patience_s)

    def queue(self) -> list[tuple[str, bool, str]]:
        """(topic, buried, error) of each message that is left in the database."""
        engine = make_engine(config.load(str(self.site.config), {}).database_url())
        with engine.connect().execution_options(read_only=True) as connection:
            columns = (messages.c.topic, messages.c.buried, messages.c.error)
            found = [tuple(row) for row in connection.execute(sa.select(*columns).order_by(messages.c.id))]
        engine.dispose()
        return found

    # -- the end -----------------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop every process by its id; what is left after that is killed, and a failure."""
        left = [wmsd for wmsd in self.running if wmsd.process.poll() is None]
        if left:
            self._let_wrappers_report()
        site.down(self.site)
        for number in (signal.SIGCONT, signal.SIGTERM):
            for wmsd in left:
                wmsd.process.send_signal(number)
        for wmsd in left:
            wmsd.process.wait(PATIENCE_S)
        assert_nothing_runs(self.directory)

    def _let_wrappers_report(self) -> None:
        """A wrapper whose service is gone waits for it for minutes: those that are near their end may reach it."""
        end = time.monotonic() + WRAPPERS_S
        while time.monotonic() < end and any("wms-runner" in one for one in belonging_to(self.directory).values()):
            time.sleep(SELDOM_S)
