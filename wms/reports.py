"""Commands of `wmsd` that read the database and change nothing; what they say belongs to a daemon (`wms.reports`)."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from typing import Any

import click
import sqlalchemy as sa

from wms import config, migrations, preflight
from wms.database import make_engine

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


def report(name: str) -> Callable[..., Any]:
    """The function of a daemon that makes the report."""
    found: Callable[..., Any] = entry_points(group="wms.reports")[name].load()
    return found


@contextmanager
def _database(context: click.Context) -> Iterator[sa.Engine]:
    settings = config.load(context.obj, os.environ)
    with preflight.database(settings):
        engine = make_engine(settings.database_url()).execution_options(read_only=True)
        migrations.check(engine)
    try:
        yield engine
    finally:
        engine.dispose()


@click.command()
@click.option("--job", default="", metavar="JOBID", help="Only the last one about this job.")
@click.option("-n", "--number", default=20, show_default=True, type=click.IntRange(1, 10_000), help="How many.")
@_JSON
@click.pass_context
def decisions(context: click.Context, job: str, number: int, as_json: bool) -> None:
    """List the last decisions of the broker that are kept, newest first."""
    with _database(context) as engine:
        click.echo(report("decisions")(engine, job=job, number=number, as_json=as_json).text)


@click.command()
@click.argument("decision", default="")
@click.option("--job", default="", metavar="JOBID", help="The last decision about this job.")
@click.option("--from", "source", default="", metavar="FILE", type=click.Path(dir_okay=False),
              help="A decision that was exported; needs no database.")
@click.option("--export", "target", default="", metavar="FILE", type=click.Path(dir_okay=False),
              help="Write it with its resources to a file, for another machine. Descriptions of jobs are in it.")
@click.option("-v", "--verbose", is_flag=True, help="The ranks of the computing elements each lane could go to, too.")
@_JSON
@click.pass_context
def replay(context: click.Context, decision: str, job: str, source: str, target: str, verbose: bool,
           as_json: bool) -> None:
    """Make a decision of the broker again from all that it went by, and say whether it is the same to the last bit.

    DECISION is an id of `wmsd decisions`, or how one begins. Exit status 1 if the outcome is another.
    """
    if sum(map(bool, (decision, job, source))) != 1:
        raise click.UsageError("Name one decision: DECISION, --job or --from.")
    told = {"id": decision, "job": job, "source": source, "target": target, "verbose": verbose, "as_json": as_json}
    if source:
        found = report("replay")(None, **told)
    else:
        with _database(context) as engine:
            found = report("replay")(engine, **told)
    click.echo(found.text)
    sys.exit(found.status)


@click.command()
@click.option("--failing", is_flag=True, help="Only those whose last attempt failed, or that nobody can renew.")
@click.option("-n", "--number", default=100, show_default=True, type=click.IntRange(1, 100_000), help="How many.")
@_JSON
@click.pass_context
def renewals(context: click.Context, failing: bool, number: int, as_json: bool) -> None:
    """List the credentials that are kept alive: who renews them, when next, what went wrong last."""
    with _database(context) as engine:
        click.echo(report("renewals")(engine, failing=failing, number=number, as_json=as_json).text)
