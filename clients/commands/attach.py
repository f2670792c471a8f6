"""job-attach: connect this terminal with an interactive job, now or again."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.session import Session

HOW = """With a terminal, lines go to the job as they are ended; ~. at the beginning of a line detaches, Ctrl-C asks
whether to detach or to cancel. The end of standard input is that of the job. The exit status is that of the job, 1 if
it did not run to its end, 0 when it goes on without this terminal."""


@shared.command("job-attach", epilog=HOW)
@click.argument("jobs", metavar="[JOBID]", nargs=-1)
@shared.input_jobs
@click.option("--from-now", is_flag=True, help="Do not show what was printed before.")
@click.option("--nolisten", is_flag=True, help="Only say where the job can be attached.")
@click.option("--port", "-p", default=0, metavar="N", help="Taken for old scripts: no port is opened here.")
@click.option("--nogui", is_flag=True, help="Taken for old scripts: there is no window.")
def command(session: Session, jobs: tuple[str, ...], input_file: str, from_now: bool, nolisten: bool, port: int,
            nogui: bool) -> int:
    """Show what an interactive job prints and give it what is typed."""
    from clients import attaching, choosing
    from clients.errors import ArgumentWrong

    chosen = choosing.jobs(session, jobs, input_file)
    if len(chosen) != 1:
        raise ArgumentWrong(f"One terminal is attached to one job, not {len(chosen)}.")
    if nolisten:
        return attaching.tell(session, chosen[0])
    return attaching.attach(session, chosen[0], from_now=from_now)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
