"""job-output: fetch the output of finished jobs, check every file, then give the sandbox back."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

import click

from clients import main as shared
from clients.errors import Declined
from clients.session import Session
from wms.errors import WmsError

if TYPE_CHECKING:
    from clients.api import Client, Output
    from clients.collecting import Collected

MOST_WARNINGS = 10


@shared.command("job-output")
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@shared.input_jobs
@click.option("--dir", "directory", default="", metavar="PATH",
              help="Make the jobs' directories here. Default: OutputStorage, else /tmp/jobOutput.")
@click.option("--nopurge", "-n", is_flag=True,
              help="Keep the output on the service: it can be fetched again.")
def command(session: Session, jobs: tuple[str, ...], input_file: str, directory: str, nopurge: bool) -> int:
    """Fetch the output files of jobs that are done, each job's into a directory of its own.

    Of a compound job each node's files go into a directory with its name; those of nodes that are not done are
    fetched the next time.
    """
    from clients import choosing

    client = session.client()
    parent = os.path.abspath(directory or session.settings.output_storage)
    found = {job: _fetch(session, client, job, parent, purge=not nopurge)
             for job in choosing.jobs(session, jobs, input_file)}
    for one in found.values():
        if not isinstance(one, WmsError):
            session.warn(*one.warnings[:MOST_WARNINGS])
            session.say(_text(one))
    errors = [error for one in found.values() for error in _errors(one)]
    session.answer(_document(found, whole=not errors))
    return shared.finish(session, errors, sum(not isinstance(one, WmsError) for one in found.values()))


def _text(found: Output | Collected) -> str:
    from clients import show, show_nodes
    from clients.api import Output

    if isinstance(found, Output):
        return show.fetched(found.job, found.directory, len(found.files), found.elsewhere)
    return show_nodes.collected(found)


def _errors(found: Output | Collected | WmsError) -> list[WmsError]:
    from clients.collecting import Collected

    if isinstance(found, WmsError):
        return [found]
    return found.problems() if isinstance(found, Collected) else []


def _document(found: dict[str, Output | Collected | WmsError], *, whole: bool) -> dict[str, Any]:
    from clients import documents
    from clients.api import Output

    answer = documents.of_jobs({
        job: one if isinstance(one, WmsError) else
        documents.output(one) if isinstance(one, Output) else documents.collected(one) for job, one in found.items()})
    return answer if whole or answer["result"] == "failure" else {**answer, "result": "partial"}


def _fetch(session: Session, client: Client, job: str, parent: str, *, purge: bool) -> Output | Collected | WmsError:
    from clients import collecting, compounds
    from clients.files import make_shared
    from clients.settings import SHARED_STORAGE
    from wms.jobid import JobId

    id = JobId.parse(job)
    directory = os.path.join(parent, id.unique)
    try:
        if os.path.isdir(directory) and os.listdir(directory) and not collecting.read_map(directory, job):
            _may_overwrite(session, directory)
        if parent == SHARED_STORAGE:
            make_shared(parent)
        session.say(f"Retrieving files from host {id.host}")
        if number := compounds.number(client, job):
            return _some(collecting.collect(client, job, directory, number, purge=purge))
        return client.output(job, directory, purge=purge)
    except WmsError as refused:
        error = compounds.hinted(client, job, refused)
        error.message = f"{job}: {error.message}"
        return error


def _some(found: Collected) -> Collected:
    """Raises what is missing when there is nothing else."""
    if not found.received:
        for problem in found.problems():
            raise problem
    return found


def _may_overwrite(session: Session, directory: str) -> None:
    if not session.confirm(f"The directory {directory} exists. Do you want to overwrite its files ?"):
        raise Declined(f"{directory} was left as it is.")


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
