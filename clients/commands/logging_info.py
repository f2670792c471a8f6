"""job-logging-info: the events of jobs, as every component told them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clients import main as shared
from clients.errors import ArgumentsExclusive
from clients.session import Session
from wms.errors import WmsError

if TYPE_CHECKING:
    from clients.api import Client

STORED = "Logging information has been found and stored in the file:"

Events = list[dict[str, Any]]


@shared.command("job-logging-info")
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@shared.input_jobs
@click.option("--event", "only", multiple=True, metavar="NAME", help="Only events of this type (repeat).")
@click.option("--exclude", "-e", "without", multiple=True, metavar="NAME",
              help="No events of this type (repeat).")
@shared.since_time
@shared.until_time
@shared.verbosity_level
@shared.output_report
def command(session: Session, jobs: tuple[str, ...], input_file: str, only: tuple[str, ...],
            without: tuple[str, ...], since: str, until: str, verbosity: int | None, output: str) -> int:
    """Tell what was logged about jobs."""
    from clients import choosing, documents, show
    from clients.selection import EventSelection

    if only and without:
        raise ArgumentsExclusive("--event and --exclude exclude each other.")
    selection = EventSelection.parse(only, without, since, until, time.time())
    level = session.settings.logging_level if verbosity is None else verbosity
    client = session.client()
    found = {job: _events(client, job) for job in choosing.jobs(session, jobs, input_file)}
    told = {job: [event for event in one if selection.takes(event)]
            for job, one in found.items() if not isinstance(one, WmsError)}
    blocks = [show.events(job, events, level, time.ctime) for job, events in told.items()]
    if blocks:
        session.deliver("\n".join(blocks), output, STORED)
    session.answer(documents.of_jobs({
        job: one if isinstance(one, WmsError) else {"events": told[job]} for job, one in found.items()}))
    return shared.finish(session, [one for one in found.values() if isinstance(one, WmsError)], len(told))


def _events(client: Client, job: str) -> Events | WmsError:
    try:
        return client.events(job)
    except WmsError as error:
        return error


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
