"""What all commands are made of: common options, the way they are run, and how their errors are shown.

Only click is loaded here; whatever talks to a service is imported when a command really runs.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from clients.errors import ArgumentMissing, ArgumentsExclusive, ArgumentWrong, Usage
from clients.session import Common, Session
from wms.errors import WmsError

PARTIAL, INTERRUPTED = 255, 130
_USAGE: tuple[tuple[type[click.UsageError], type[Usage]], ...] = (
    (click.MissingParameter, ArgumentMissing),
    (click.NoSuchOption, Usage),
    (click.BadOptionUsage, ArgumentMissing),
    (click.BadParameter, ArgumentWrong),
)


# -- building commands -----------------------------------------------------------------------------------


class Command(click.Command):
    """A command that also takes its long options with a single dash, as the field writes them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        known = {name for param in self.get_params(ctx) for name in (*param.opts, *param.secondary_opts)}
        rest = super().parse_args(ctx, two_dashes(args, known))
        for name, value in ctx.params.items():
            if isinstance(value, str) and value in known:
                raise click.BadOptionUsage(name, f"Invalid argument value for an option: {value}", ctx)
        return rest


def two_dashes(arguments: Sequence[str], known: set[str]) -> list[str]:
    """`-output` becomes `--output` where that is known; nothing after `--` is changed."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return [f"-{word}" if len(word) > 2 and f"-{word.partition('=')[0]}" in known else word
            for word in arguments[:end]] + list(arguments[end:])


def _show_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from wms.version import VERSION

        click.echo(f"\nWMS User Interface version  {VERSION}\n")
        ctx.exit(0)


_COMMON: dict[str, Callable[[Any], Any]] = {
    "config": click.option("--config", "-c", default="", metavar="FILE", help="Configuration file (a ClassAd)."),
    "config_vo": click.option("--config-vo", default="", metavar="FILE", help="Configuration file of the VO."),
    "vo": click.option("--vo", default="", metavar="NAME", help="Virtual organisation to act for."),
    "endpoint": click.option("--endpoint", default="", metavar="URL",
                             help="Network Server, https://HOST:PORT. Default: WMS_ENDPOINT, then NSAddresses."),
    "noint": click.option("--noint", is_flag=True, help="Ask nothing: yes to every question, all of every list."),
    "json": click.option("--json", is_flag=True, help="Print one JSON document on stdout and nothing else."),
    "debug": click.option("--debug", is_flag=True, help="Tell on stderr and in a log file what is done."),
    "logfile": click.option("--logfile", default="", metavar="FILE", help="Append what is done to this file."),
}
_VERSION = click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_show_version,
                        help="Show the version and exit.")
FEW = ("json", "debug", "logfile")
"""The common options of the lb-* commands, whose short options are those of the field."""


def command(name: str, *, epilog: str = "",
            common: Sequence[str] = tuple(_COMMON)) -> Callable[[Callable[..., int]], click.Command]:
    """Make a command of a function `(session, **own options) -> exit status`; its docstring is the help.

    `common` names the options that it shares with others.
    """
    shared = [*(_COMMON[key] for key in common), _VERSION]

    def build(act: Callable[..., int]) -> click.Command:
        @functools.wraps(act)
        def run_in_session(**options: Any) -> int:
            given = Common(**{key: options.pop(key) for key in common})
            return _in_session(Session(name, given), act, options)

        function: Any = run_in_session
        for option in reversed(shared):
            function = option(function)
        helps = ["-h", "--help"] if common == FEW else ["--help"]
        made = click.command(name, cls=Command, epilog=epilog,
                             context_settings={"max_content_width": 100, "help_option_names": helps})(function)
        made.params = made.params[len(shared):] + made.params[:len(shared)]
        return made

    return build


def _in_session(session: Session, act: Callable[..., int], options: dict[str, Any]) -> int:
    common = session.common
    if common.vo and common.config_vo:
        raise ArgumentsExclusive("--vo and --config-vo exclude each other.")
    session.trace(f"{session.command} {options}")
    try:
        return act(session, **options)
    except WmsError as error:
        session.trace(f"error {error.code}: {error.message}")
        raise
    finally:
        session.close()


def finish(session: Session, errors: Sequence[WmsError], done: int) -> int:
    """Show what did not work, each with its error; the exit status of a command about several jobs."""
    for error in errors:
        session.trace(f"error {error.code}: {error.message}")
        if not session.common.json:
            click.echo(error_text(error), err=True)
    if not errors:
        return 0
    return PARTIAL if done else errors[0].exit


# -- options that several commands have -----------------------------------------------------------------

_WHEN = "[MM:DD:]hh:mm[:[CC]YY]"
input_jobs = click.option("--input", "-i", "input_file", default="", metavar="FILE",
                          help="Choose among the jobs of a file.")
output_report = click.option("--output", "-o", default="", metavar="FILE",
                             help="Write the report to this file.")
since_time = click.option("--from", "since", default="", metavar=_WHEN, help="Not before this local time.")
until_time = click.option("--to", "until", default="", metavar=_WHEN, help="Not after this local time.")
delegation_name = click.option("--delegationid", "-d", default="", metavar="ID",
                               help="Use the credential that was delegated under this name.")
delegation_anew = click.option("--autm-delegation", "-a", is_flag=True,
                               help="Delegate the credential now, under a new name.")
verbosity_level = click.option("--verbosity", "-v", type=click.IntRange(0, 3), default=None, metavar="0-3",
                               help="How much to tell. Default: as configured, else 1.")


# -- running them ----------------------------------------------------------------------------------------


def run(called: click.Command) -> NoReturn:
    """The whole life of a command-line process: exit 0 done, 1 not done, 255 done in part, 2 misused."""
    sys.exit(outcome(called, sys.argv[1:]))


def outcome(called: click.Command, arguments: Sequence[str]) -> int:
    """Run a command with its arguments; show its error, if any; return its exit status."""
    as_json = "--json" in arguments or "-json" in arguments
    try:
        status = called.main(list(arguments), prog_name=_program(called), standalone_mode=False)
    except click.UsageError as error:
        return _show(_usage(error), as_json)
    except WmsError as error:
        return _show(error, as_json)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status if isinstance(status, int) else 0


def _program(called: click.Command) -> str:
    """The name the user typed, when it is one of a command and not of a Python file."""
    typed = os.path.basename(sys.argv[0])
    return called.name or typed if not typed or typed.endswith(".py") else typed


def _usage(error: click.UsageError) -> Usage:
    kind = next((ours for theirs, ours in _USAGE if isinstance(error, theirs)), Usage)
    program = error.ctx.command_path if error.ctx else ""
    return kind(error.format_message(), hint=f"See: {program} --help")


def _show(error: WmsError, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"result": "failure", "error": error.record()}, default=str))
    else:
        click.echo(error_text(error), err=True)
    return error.exit


def error_text(error: WmsError) -> str:
    """An error as people see it: code, sentence, hint."""
    lines = [f"**** Error: {error.code} ****", error.message]
    return "\n".join([*lines, error.hint] if error.hint else lines)
