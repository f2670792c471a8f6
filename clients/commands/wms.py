"""wms: a suite of one's own (up, down, ps, env, demo), the user's credentials, and help on everything else."""

from __future__ import annotations

import json as jsonlib
import os
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import click

from clients.commands import wms_ce, wms_delegations, wms_login, wms_proxy
from wms.errors import WmsError

STALE_S = 15.0
EXAMPLE = Path("examples/pi.jdl")
_DIRECTORY = click.option("--dir", "directory", default=".wms", envvar="WMS_DIR", show_default=True,
                          type=click.Path(file_okay=False), help="Directory of the suite.")


def main() -> None:
    """Entry point: an error is one sentence on standard error."""
    try:
        status = cli(standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except WmsError as error:
        _show(error)
        sys.exit(error.exit)


def _show(error: WmsError) -> None:
    if "--json" in sys.argv:
        click.echo(jsonlib.dumps({"result": "failure", "error": error.record()}, default=str))
    else:
        click.echo(f"**** Error: {error.code} ****\n{error.message}\n{error.hint}".rstrip(), err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Workload management: a suite of your own, proxies and tokens, and help on the job commands."""


for _command in (wms_login.login, wms_login.logout, wms_login.token, wms_proxy.proxy, wms_delegations.delegations,
                 wms_ce.ce):
    cli.add_command(_command)


def _site(directory: str) -> Any:
    from clients.site import Site

    return Site(Path(os.path.abspath(directory)))


_CES = click.option("--ce", "ces", default=None, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
                    help="Computing elements in YAML, as below the key ce of a configuration (at the first start).")


@cli.command()
@_DIRECTORY
@_CES
@click.option("--slots", default=max(2, os.cpu_count() or 2), show_default=True,
              help="Jobs that run at a time (at the first start).")
def up(directory: str, ces: Path | None, slots: int) -> None:
    """Start a suite in the background and wait until it is ready; harmless when it runs."""
    from clients import site

    here = _site(directory)
    started = site.up(here, slots, ces)
    word = "is ready" if started else "was running"
    click.echo(f"The suite {word} at {site.environment(here)['WMS_ENDPOINT']}.")
    click.echo(f'Point your shell at it: eval "$(wms env --dir {shlex.quote(directory)})"')


@cli.command()
@_DIRECTORY
def down(directory: str) -> None:
    """Stop the suite in order. Its jobs go on and are found again by the next `up`."""
    from clients import site

    click.echo("The suite has stopped." if site.down(_site(directory)) else "The suite was not running.")


@cli.command()
@_DIRECTORY
def env(directory: str) -> None:
    """Print the shell lines that point every client command at the suite."""
    from clients import site

    here = _site(directory)
    if not here.config.exists():
        raise click.ClickException(f"There is no suite in {directory}; start one with: wms up --dir {directory}")
    for name, value in site.environment(here).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@cli.command()
@_DIRECTORY
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def ps(directory: str, as_json: bool) -> None:
    """Say how each daemon is; exit status 1 if one is not well."""
    from clients.health import look, table

    here = _site(directory)
    rows = look(here, time.time(), STALE_S)
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "daemons": rows}))
    else:
        click.echo(table(rows))
    if not rows or any(row["state"] != "well" for row in rows):
        sys.exit(1)


@cli.command(context_settings={"ignore_unknown_options": True})
@_DIRECTORY
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def replay(directory: str, words: tuple[str, ...]) -> None:
    """Make a decision of the broker again; WORDS are those of `wmsd replay`: DECISION, --job JOBID, --verbose, --json.

    Exit status 1 if the outcome is not the same to the last bit.
    """
    from clients import site

    sys.exit(site.wmsd(_site(directory), "replay", *words))


@cli.command()
@_DIRECTORY
@_CES
@click.option("--jdl", default=str(EXAMPLE), show_default=True, type=click.Path(dir_okay=False))
@click.option("--keep", is_flag=True, help="Leave the suite running.")
def demo(directory: str, ces: Path | None, jdl: str, keep: bool) -> None:
    """Start a suite, run a job, show its states as they change, print its output, stop everything."""
    from clients import demonstration, site

    here = _site(directory)
    try:
        click.echo("Starting the suite ...")
        site.up(here, max(2, os.cpu_count() or 2), ces)
        sys.exit(demonstration.run(here, Path(jdl), click.echo))
    finally:
        if not keep:
            site.down(here)
            click.echo("Everything is stopped.")
