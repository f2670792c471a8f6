"""job-get-chkpt: a state that a checkpointable job has saved; job-submit --chkpt starts another job from it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import click

from clients import main as shared
from clients.session import Session

if TYPE_CHECKING:
    from wms.operations.checkpoints import Checkpoint

STORED = ("The checkpointable Job state has been successfully retrieved from LB Server\n"
          "and stored in the file:")


@shared.command("job-get-chkpt")
@click.argument("jobs", metavar="[JOBID]", nargs=-1)
@click.option("--cs", default=0, type=click.IntRange(min=0), metavar="N",
              help="The state that was saved N before the last one. Default: the last.")
@shared.input_jobs
@shared.output_report
def command(session: Session, jobs: tuple[str, ...], cs: int, input_file: str, output: str) -> int:
    """Print a state that a checkpointable job has saved; job-submit --chkpt FILE starts another job from it."""
    from clients import choosing
    from clients.errors import ArgumentWrong
    from wms.jobid import JobId
    from wms.operations import OPERATIONS

    chosen = choosing.jobs(session, jobs, input_file)
    if len(chosen) != 1:
        raise ArgumentWrong(f"The state of one job is printed, not of {len(chosen)}.")
    job = chosen[0]
    found: Checkpoint = session.client().network_server(job).call(
        OPERATIONS["ns.checkpoint"], query={"cs": str(cs)}, unique=JobId.parse(job).unique)
    session.deliver(_text(found), output, STORED)
    session.answer({"result": "success", "jobid": job, "number": found.number, "attempt": found.attempt,
                    "tag": found.tag, "at": found.at, "state": found.state})
    return 0


def _text(found: Checkpoint) -> str:
    """The state behind comment lines, so that the whole file can be given to job-submit."""
    saved = f"state {found.number}, saved by attempt {found.attempt}" if found.number else "the state it began with"
    lines = [f"# Job State Retrieved for {time.ctime(found.at)}: {saved}", f"#jobId: {found.job}"]
    return "\n".join([*lines, *([f"#tag: {found.tag}"] if found.tag else []), found.state])


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
