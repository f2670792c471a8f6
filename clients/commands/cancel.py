"""job-cancel: ask for the cancellation of jobs. It happens later; job-status tells when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import click

from clients import main as shared
from clients.errors import ArgumentsExclusive, Declined, NoJobFound
from clients.session import Session
from wms.errors import WmsError

if TYPE_CHECKING:
    from clients.api import Client

QUESTION = "Are you sure you want to remove specified job(s)?"
STORED = "Cancellation results for the specified job(s) are stored in the file:"
CANCELLABLE = frozenset({"Submitted", "Waiting", "Ready", "Scheduled", "Running", "Unknown"})


@shared.command("job-cancel")
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@shared.input_jobs
@click.option("--all", "every", is_flag=True, help="All my jobs that are not over.")
@shared.output_report
def command(session: Session, jobs: tuple[str, ...], input_file: str, every: bool, output: str) -> int:
    """Cancel jobs, after asking."""
    from clients import choosing, documents, show

    if every and (jobs or input_file):
        raise ArgumentsExclusive("--all excludes job identifiers and --input.")
    client = session.client()
    chosen = _unfinished(client) if every else choosing.jobs(session, jobs, input_file)
    if not session.confirm(QUESTION):
        raise Declined("bye")
    found = {job: _cancel(client, job) for job in chosen}
    errors = [one for one in found.values() if isinstance(one, WmsError)]
    accepted = [job for job, one in found.items() if not isinstance(one, WmsError)]
    if accepted:
        session.deliver(show.cancelled(accepted), output, STORED)
    session.answer(documents.of_jobs({
        job: one if isinstance(one, WmsError) else {"status": "cancel requested"}
        for job, one in found.items()}))
    return shared.finish(session, errors, len(accepted))


def _unfinished(client: Client) -> list[str]:
    found = [status["jobId"] for status in client.jobs(nodes=False) if status.get("state") in CANCELLABLE]
    if not found:
        raise NoJobFound("None of your jobs can be cancelled.")
    return found


def _cancel(client: Client, job: str) -> WmsError | None:
    """None when the request was accepted."""
    try:
        client.cancel(job)
    except WmsError as refused:
        from clients import compounds

        error = compounds.hinted(client, job, refused)
        error.message = f"Not allowed to cancel the job {job}: {error.message}"
        return error
    return None


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
