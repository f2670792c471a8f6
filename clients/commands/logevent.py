"""lb-logevent: log an event of a job. It is on disk when this ends well; the interlogger brings it to the server."""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Any, NoReturn

import click

from clients import main as shared
from clients.errors import ArgumentMissing
from wms.errors import BadToken, Refused
from wms.event import EVENT_TYPES, Event
from wms.jobid import JobId
from wms.seqcode import Source

LOOK_S = 0.02
_FIELDS: dict[str, list[str]] = {}
for _kind in EVENT_TYPES.values():
    for _field in _kind.fields:
        _FIELDS.setdefault(_field.name, []).append(_kind.name)
_PREFIX = "field_"


class EventRefused(Refused):
    """The server refused the event for good; it is in the quarantine of this host's spool."""

    code = "LB_EVENT_REFUSED"


class Command(shared.Command):
    """Values of fields may be anything, also what looks like an option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        return click.Command.parse_args(self, ctx, shared.two_dashes(args, known))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The fields of all events are in the manual; here they would hide the rest."""
        own = [param for param in self.get_params(ctx) if not str(param.name).startswith(_PREFIX)]
        with formatter.section("Options"):
            formatter.write_dl([row for param in own if (row := param.get_help_record(ctx)) is not None])


def _fields(function: Any) -> Any:
    for name, kinds in sorted(_FIELDS.items(), reverse=True):
        told = f"Field of {', '.join(kinds)}."
        function = click.option(f"--{name}", _PREFIX + name, default=None, metavar="VALUE", help=told)(function)
    return function


def _help(what: str, lines: list[str]) -> Any:
    def show(ctx: click.Context, _param: click.Parameter, value: str) -> str:
        if value == "help":
            click.echo("\n".join([what, *lines]))
            ctx.exit(0)
        return value

    return show


def _rows() -> list[str]:
    return [f"  {kind.name} " + " ".join(f"[--{f.name}]" if f.optional else f"--{f.name}" for f in kind.fields)
            for kind in EVENT_TYPES.values()]


@click.command("lb-logevent", cls=Command, context_settings={"help_option_names": ["-h", "--help"],
                                                             "max_content_width": 100})
@click.option("--event", "-e", "type_name", default="", metavar="TYPE",
              callback=_help("Events and their fields:", _rows()), help="What happened; `-e help` lists all.")
@click.option("--source", "-s", default="", metavar="SOURCE", help="Who says so; `-s help` lists all.",
              callback=_help("Sources:", [f"  {source.value}" for source in Source]))
@click.option("--jobid", "-j", default="", metavar="ID", help="The job. Default: GLITE_WMS_JOBID.")
@click.option("--sequence", "-c", default="", metavar="CODE",
              help="Sequence code so far. Default: GLITE_WMS_SEQUENCE_CODE; without one, the time counts.")
@click.option("--source-instance", "-i", "instance", default="", metavar="NAME", help="Which one of the sources.")
@click.option("--priority", "-p", is_flag=True, help="Wait until the server has the event.")
@click.option("--lbproxy", "-x", is_flag=True, help="Mark the event as logged beside the service.")
@click.option("--lbproxy-store-sock", "-S", default="", metavar="PATH", help="Taken and not needed.")
@click.option("--lbproxy-user-dn", "-U", "user", default="", metavar="DN",
              help="Who logs. Default: the holder of the proxy.")
@click.option("--machine", "-m", default="", metavar="HOST[:PORT]", help="Without a job: make one of this server.")
@click.option("--reason-length", "-l", "length", type=click.IntRange(0, 1_000_000), default=0, metavar="N",
              help="Make the field reason this long (for tests).")
@click.option("--dont-increment", "-I", "as_it_is", is_flag=True, help="Use the sequence code as it is.")
@click.option("--debug-level", "-d", "debug", is_flag=True, help="Log at level DEBUG.")
@click.option("--timeout", type=click.FloatRange(0, 600), default=None, metavar="S",
              help="Longest wait of --priority. Default: GLITE_WMS_LOG_SYNC_TIMEOUT, else 120.")
@click.option("--spool", default="", metavar="DIR", help="Spool of this host. Default: the interlogger's.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout and nothing else.")
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=shared._show_version,
              help="Show the version and exit.")
@_fields
def command(type_name: str, source: str, jobid: str, sequence: str, instance: str, priority: bool, lbproxy: bool,
            lbproxy_store_sock: str, user: str, machine: str, length: int, as_it_is: bool, debug: bool,
            timeout: float | None, spool: str, as_json: bool, **more: Any) -> int:
    """Log an event of a job and print its next sequence code.

    The fields of the event are options too: lb-logevent -s Application -e UserTag --name phase --value 2
    """
    from clients import logging_options as options

    if not type_name or not source:
        raise ArgumentMissing("An event needs --event and --source.", hint="See: lb-logevent --help")
    kind, said_by, now = options.type_of(type_name), options.source_of(source), time.time()
    job = options.job_of(jobid, machine, os.environ, os.urandom(16))
    fields = {name.removeprefix(_PREFIX): value for name, value in more.items() if value is not None}
    if length:
        fields["reason"] = options.filling(length)
    codes = options.codes(sequence or options.variable(os.environ, "SEQUENCE_CODE"), said_by, now,
                          attach=not as_it_is)
    event = options.made(
        kind, job, said_by, codes.event, now, os.environ.get("GLOBUS_HOSTNAME") or socket.gethostname(),
        user or _holder(), fields, level="DEBUG" if debug else "SYSTEM", instance=instance,
        priority=(options.SYNC if priority else 0) | (options.PROXY if lbproxy else 0))
    if not jobid and machine:
        click.echo(f"JobId not given: created {job} (server: {machine})", err=True)
    wait_s = options.sync_timeout_s(os.environ) if timeout is None else timeout
    directory = options.spool_directory(os.environ, spool)
    return _log(event, job, codes.next, directory, wait_s if priority else None, as_json)


def _log(event: Event, job: JobId, code: str, directory: str, wait_s: float | None, as_json: bool) -> int:
    """Write the event, print the code, wait if that is wanted."""
    from wms import spool
    from wms.ulm import to_ulm

    line = to_ulm(event)
    written = spool.append(directory, job, [line])
    if not as_json:
        click.echo(code)
        sys.stdout.flush()
    if wait_s is not None:
        _confirmed(written, line, wait_s)
    if as_json:
        click.echo(json.dumps({"result": "success", "job": str(job), "event": event.type, "sequence_code": code,
                               "confirmed": wait_s is not None}))
    return 0


def _confirmed(written: Any, line: str, wait_s: float) -> None:
    from wms import spool

    end = time.monotonic() + wait_s
    while not spool.is_shipped(written):
        if time.monotonic() >= end:
            raise spool.NotConfirmed(f"The event is safe here, but not confirmed by its server within {wait_s:g} s.",
                                     hint="The interlogger goes on trying: do not log it again.")
        time.sleep(LOOK_S)
    if reason := spool.refusal(written, line):
        raise EventRefused(f"The server refused the event: {reason}")


def _holder() -> str:
    """The name in the token or proxy file, empty when there is none: the server decides who somebody is."""
    from clients import credential, tokens, wallet
    from clients.subject import subject

    uid = os.getuid()
    try:
        if not wallet.prefers_proxy(os.environ, uid):
            return tokens.name(tokens.text_of(tokens.find(os.environ, uid), uid))
        with open(credential.find(os.environ, uid)[0], "rb") as file:
            return subject(file.read())
    except (OSError, ValueError, BadToken):
        return ""


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
