"""`wmsd`: composes daemons from the configuration and runs them. The only module that imports the reactor."""

from __future__ import annotations

import faulthandler
import os
import random
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
import msgspec
from twisted.internet import reactor as _reactor
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from wms import config, garbage, logs, migrations, policy_commands, preflight, queue, reports, sealing
from wms.authz.gate import Gate
from wms.ce import Backend, load
from wms.ce.guard import common, guarded
from wms.config import Settings, split_address
from wms.database import Database, make_engine
from wms.errors import ConfigError, WmsError
from wms.heartbeat import Heartbeat
from wms.httpd import Call, Factory, Handler, Reply, Router
from wms.issuers import Issuers, configured
from wms.secret import read_or_make, sealing_key
from wms.service import Daemon, Kit, Part, Suite
from wms.sole import Sole
from wms.systemd import notify
from wms.trust import Trust
from wms.vault import Vault
from wms.version import VERSION
from wms.wakeups import wakeups

reactor: Any = _reactor
GROUP = "wms.daemons"
ORDER = ("lb", "proxyrenewal", "logmonitor", "jobadapter", "wm", "ns")
"""Starting order: who is told comes before who tells. Stopping is the reverse."""
LINGER_S = 0.05
"""Under load a loop makes at most 20 rounds a second."""
NEEDS_NO_DATABASE = frozenset({"interlogger"})
"""Daemons that keep nothing: a host that runs only these has no database."""
ONE_AT_A_TIME = frozenset({"wm", "proxyrenewal"})
"""Daemons that know more than their tables say: two on a database would each fill the quotas and the free slots, and
ask for each new credential."""
NEEDS_BACKENDS = frozenset({"wm", "jobadapter", "logmonitor"})
ANSWER_S = 5.0
"""How long a process that ends waits for the calls it is answering."""
FLUSH_S = 0.05


def installed() -> list[str]:
    """Names of the daemons that are installed, in starting order."""
    found = entry_points(group=GROUP).names
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


def maker(name: str) -> Callable[[Kit], Daemon]:
    """What makes that daemon; only now is its code loaded."""
    make: Callable[[Kit], Daemon] = entry_points(group=GROUP)[name].load()
    return make


class Calls:
    """The remote calls in progress, so that a process that ends can answer them first."""

    def __init__(self) -> None:
        self.open = 0

    def counted(self, handlers: Mapping[str, Handler]) -> dict[str, Handler]:
        return {name: self._counted(handler) for name, handler in handlers.items()}

    def _counted(self, handler: Handler) -> Handler:
        async def handle(call: Call) -> Reply:
            self.open += 1
            try:
                return await handler(call)
            finally:
                self.open -= 1

        return handle

    async def answered(self) -> None:
        """When none is left, or ANSWER_S is over."""
        end = reactor.seconds() + ANSWER_S
        while self.open and reactor.seconds() < end:
            await deferLater(reactor, FLUSH_S, lambda: None)


class Process:
    """One `wmsd run`: the suite, its listeners, its heartbeat; ends by signal or by failing to start."""

    def __init__(self, settings: Settings, names: Sequence[str]) -> None:
        self._settings = settings
        self._names = tuple(names)
        self._name = names[0] if len(names) == 1 else "suite"
        self._log = Logger(namespace="wms")
        self._ports: list[IListeningPort] = []
        self._suite: Suite | None = None
        self._heartbeat: Heartbeat | None = None
        self._database: Database | None = None
        self._calls = Calls()
        self._starting: Deferred[None] = succeed(None)
        self.exit = 0
        self.problem = ""

    def run(self) -> int:
        """Until stopped; the exit status."""
        reactor.callWhenRunning(self._begin)
        reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        reactor.run()
        return self.exit

    def _begin(self) -> None:
        self._starting = Deferred.fromCoroutine(self._start()).addErrback(self._failed)

    def _failed(self, failure: Failure) -> None:
        self.exit, self.problem = _why(failure.value)
        if isinstance(failure.value, EXPECTED):
            self._log.error("cannot start: {problem}", problem=self.problem)
        else:
            self._log.failure("cannot start", failure=failure)
        if reactor.running:
            reactor.stop()

    async def _start(self) -> None:
        trust, kit = Trust(self._settings, self._log), self._kit()
        if self._shares_database:
            kit.credentials.require_private()
        daemons = [maker(name)(kit) for name in installed() if name in self._names]
        self._heartbeat = Heartbeat(kit, self._name, daemons)
        sole = [Sole(kit, name) for name in self._names if name in ONE_AT_A_TIME]
        tokens = Issuers(kit)
        parts: list[Part] = [*sole, self._heartbeat.ticker, *kit.backends.values(), tokens, trust.watching(kit)]
        if self._shares_database and (kit.database.postgresql or len(daemons) < len(installed())):
            parts.append(wakeups(kit.database, reactor))
        self._suite = Suite([Daemon("process", parts), *daemons], reactor, self._log)
        await self._suite.start()
        self._listen(kit, daemons, trust, tokens)
        await self._heartbeat.ready()
        garbage.settle()
        notify(f"READY=1\nSTATUS={', '.join(self._names)} {VERSION}")
        self._log.info("ready: {names}", names=", ".join(self._names), version=VERSION, pid=os.getpid())

    def _kit(self) -> Kit:
        settings = self._settings
        Path(settings.state_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        self._database = self._shared_database() if self._shares_database else _own_database()
        return Kit(settings, self._database, reactor, random.SystemRandom(), self._backends(), self._log,
                   settings.host, settings.lb_address(), read_or_make(settings.state_dir),
                   instance=f"{socket.gethostname()}/{self._name}", linger_s=LINGER_S,
                   vault=Vault(sealing_key(settings.seal_key, os.environ)),
                   gate=Gate(settings, reactor, self._log))

    @property
    def _shares_database(self) -> bool:
        return not set(self._names) <= NEEDS_NO_DATABASE

    def _shared_database(self) -> Database:
        with preflight.database(self._settings):
            database = Database(self._settings.database_url(), reactor)
            migrations.check(database.engine)
            return database

    def _backends(self) -> dict[str, Backend]:
        if not NEEDS_BACKENDS & set(self._names):
            return {}
        return {name: backend(name, given, self._settings) for name, given in self._settings.ce.items()}

    def _listen(self, kit: Kit, daemons: Sequence[Daemon], trust: Trust, tokens: Issuers) -> None:
        """One listener an address; daemons that share an address share it."""
        settings, routers = self._settings, dict[str, Router]()
        addresses = {"ns": settings.ns.listen, "lb": settings.lb.listen}
        for daemon in daemons:
            if daemon.operations:
                upload = max(settings.ns.max_file_bytes, settings.ns.max_output_bytes)
                fresh = Router(reactor, self._log, kit.secret, upload, gate=kit.gate, chains=trust,
                               tokens=tokens)
                router = routers.setdefault(addresses[daemon.name], fresh)
                router.mount(self._calls.counted(daemon.operations))
        for address, router in routers.items():
            host, port = split_address(address)
            self._ports.append(reactor.listenSSL(port, Factory(router, reactor), trust.context, backlog=512,
                                                 interface=host.strip("[]")))

    async def _stopped(self) -> None:
        """In order; what was still starting is let start first."""
        notify("STOPPING=1")
        await self._starting
        for port in self._ports:
            await maybeDeferred(port.stopListening)
        if self._suite is not None:
            await self._suite.stop()
        if self._heartbeat is not None:
            self._heartbeat.remove()
        await self._calls.answered()
        if self._database is not None:
            self._database.close()
        if self._ports:
            await deferLater(reactor, FLUSH_S, lambda: None)  # answers leave with the reactor's next turns

    def _stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stopped()).addErrback(
            lambda failure: self._log.failure("stopping", failure=failure))


def _own_database() -> Database:
    """In memory, for the heartbeat."""
    database = Database("sqlite://", None)
    queue.messages.create(database.engine)
    return database


EXPECTED = (WmsError, CannotListenError, OSError)


def _why(error: BaseException | None) -> tuple[int, str]:
    """Exit status and sentence of a process that could not start."""
    match error:
        case WmsError(message=message, hint=hint, exit=status):
            return status, f"{message} {hint}".rstrip()
        case CannotListenError(interface=host, port=port, socketError=cause):
            return 1, f"Cannot listen on {host}:{port}: {cause.strerror or cause}."
        case _:
            return 1, f"{type(error).__name__}: {error}"


def backend(name: str, given: dict[str, Any], settings: Settings) -> Backend:
    """The configured CE `name`, guarded; a spool not named lies in the state directory. Raises ConfigError."""
    try:
        limits, own = common(given)
        values = {"spool": f"{settings.state_dir}/ce/{name}", "host": settings.host, **own}
        return guarded(load(str(values.get("backend", "")))(values, reactor), limits, reactor)
    except ConfigError as error:
        raise ConfigError(f"ce.{name}: {error.message}", hint=error.hint) from None


# -- command line ----------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of `wmsd`: one clear sentence on standard error when something is wrong."""
    try:
        cli(arguments, standalone_mode=False)
    except click.exceptions.Exit as leaving:
        sys.exit(leaving.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(130)
    except WmsError as error:
        click.echo(f"wmsd: {error.message}" + (f" {error.hint}" if error.hint else ""), err=True)
        sys.exit(error.exit)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="wmsd")
@click.option("--config", "path", envvar="WMS_CONFIG", type=click.Path(), help="Configuration file (YAML).")
@click.pass_context
def cli(context: click.Context, path: str | None) -> None:
    """Run and look after the daemons of the WMS."""
    default = "/etc/wms/wms.yaml"
    context.obj = path or (default if Path(default).exists() else None)


def settings_of(context: click.Context) -> Settings:
    return config.load(context.obj, os.environ)


@cli.command()
@click.argument("names", nargs=-1)
@click.option("--log-level", default="info", type=click.Choice(["debug", "info", "warn", "error"]))
@click.pass_context
def run(context: click.Context, names: tuple[str, ...], log_level: str) -> None:
    """Run daemons in one process: all, or those named (lb ns wm jobadapter logmonitor proxyrenewal interlogger)."""
    os.umask(0o077)
    faulthandler.enable()
    known = installed()
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"There is no daemon {unknown[0]}.", hint=f"Known: {', '.join(known)}.")
    settings = settings_of(context)
    logs.begin(sys.stderr, names[0] if len(names) == 1 else "suite", log_level)
    process = Process(settings, names or known)
    status = process.run()
    if process.problem:
        click.echo(f"wmsd: {process.problem}", err=True)
    sys.exit(status)


@cli.command()
@click.pass_context
def migrate(context: click.Context) -> None:
    """Create the database schema or bring it up to date."""
    settings = settings_of(context)
    Path(settings.state_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
    with preflight.database(settings):
        before, after = migrations.upgrade(make_engine(settings.database_url()))
    click.echo(f"schema {after}" + (" (unchanged)" if before == after else f" (was {before or 'none'})"))


@cli.command()
@click.argument("ce", default="")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def information(context: click.Context, ce: str, as_json: bool) -> None:
    """Say what would be known of resources now: of all computing elements, or of CE, attribute by attribute."""
    report = reports.report("information")
    click.echo(once(settings_of(context), lambda kit: report(kit, ce, as_json)))


cli.add_command(reports.decisions)
cli.add_command(reports.replay)
cli.add_command(reports.renewals)
cli.add_command(policy_commands.policy)
cli.add_command(sealing.credentials)


def once(settings: Settings, work: Callable[[Kit], Coroutine[Deferred[Any], Any, str]]) -> str:
    """Run one piece of work without any daemon, on a database of its own that vanishes."""
    found: list[Any] = []
    database = _own_database()
    kit = Kit(settings, database, reactor, random.SystemRandom(),
              {name: backend(name, given, settings) for name, given in settings.ce.items()},
              Logger(namespace="wms"), settings.host, settings.lb_address(), b"")

    def begin() -> None:
        _ = Deferred.fromCoroutine(work(kit)).addBoth(found.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    database.close()
    if isinstance(found[0], Failure):
        found[0].raiseException()
    return str(found[0])


@cli.group("config")
def config_group() -> None:
    """Look at the configuration."""


@config_group.command()
@click.pass_context
def check(context: click.Context) -> None:
    """Say whether the configuration can be used; all problems at once."""
    settings = settings_of(context)
    for name, given in settings.ce.items():
        backend(name, given, settings)
    for address in (settings.ns.listen, settings.lb.listen):
        split_address(address)
    Gate(settings)
    configured(settings)
    click.echo("The configuration is sound.")


@config_group.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def show(context: click.Context, as_json: bool) -> None:
    """Print the settings in force."""
    values = msgspec.to_builtins(settings_of(context))
    text = msgspec.json.format(msgspec.json.encode(values)) if as_json else msgspec.yaml.encode(values)
    click.echo(text.decode())


@config_group.command()
def template() -> None:
    """Print a configuration file with every setting, its meaning and its default."""
    click.echo(config.template(), nl=False)


if __name__ == "__main__":
    main()
