"""job-output: fetch the output of finished jobs, check every file, then give the sandbox back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import click

from clients import main as shared
from clients.errors import Declined
from clients.session import Session
from wms.errors import WmsError

if TYPE_CHECKING:
    from clients.api import Client, Output


@shared.command("job-output")
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@shared.input_jobs
@click.option("--dir", "directory", default="", metavar="PATH",
              help="Make the jobs' directories here. Default: OutputStorage, else /tmp/jobOutput.")
@click.option("--nopurge", "-n", is_flag=True,
              help="Keep the output on the service: it can be fetched again.")
def command(session: Session, jobs: tuple[str, ...], input_file: str, directory: str, nopurge: bool) -> int:
    """Fetch the output files of jobs that are done, each job's into a directory of its own."""
    from clients import choosing, documents, show

    client = session.client()
    parent = os.path.abspath(directory or session.settings.output_storage)
    found = {job: _fetch(session, client, job, parent, purge=not nopurge)
             for job in choosing.jobs(session, jobs, input_file)}
    fetched = [one for one in found.values() if not isinstance(one, WmsError)]
    for output in fetched:
        session.warn(*output.warnings)
        session.say(show.fetched(output.job, output.directory, len(output.files)))
    session.answer(documents.of_jobs({
        job: one if isinstance(one, WmsError) else documents.output(one) for job, one in found.items()}))
    return shared.finish(session, [one for one in found.values() if isinstance(one, WmsError)], len(fetched))


def _fetch(session: Session, client: Client, job: str, parent: str, *, purge: bool) -> Output | WmsError:
    from clients.files import make_shared
    from clients.settings import SHARED_STORAGE
    from wms.jobid import JobId

    id = JobId.parse(job)
    directory = os.path.join(parent, id.unique)
    try:
        if os.path.isdir(directory) and os.listdir(directory):
            _may_overwrite(session, directory)
        if parent == SHARED_STORAGE:
            make_shared(parent)
        session.say(f"Retrieving files from host {id.host}")
        return client.output(job, directory, purge=purge)
    except WmsError as error:
        error.message = f"{job}: {error.message}"
        return error


def _may_overwrite(session: Session, directory: str) -> None:
    if not session.confirm(f"The directory {directory} exists. Do you want to overwrite its files ?"):
        raise Declined(f"{directory} was left as it is.")


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
