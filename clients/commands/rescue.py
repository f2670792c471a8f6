"""job-rescue: submit those nodes of an ended compound job again that are not done; what is done stays."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.session import Session


@shared.command("job-rescue")
@click.argument("jobs", metavar="[JOBID]", nargs=-1)
@shared.input_jobs
@click.option("--output", "-o", default="", metavar="FILE", help="Append the job identifier to this file.")
@click.option("--nomsg", is_flag=True, help="Print the job identifier and nothing else.")
def command(session: Session, jobs: tuple[str, ...], input_file: str, output: str, nomsg: bool) -> int:
    """Submit the nodes of an ended compound job again that are not done, as a new compound job.

    Nodes that are done are not run again; the others find their output where it is. It can be rescued again.
    """
    from clients import choosing, compounds, show_nodes
    from clients.errors import ArgumentWrong

    session.quiet = nomsg
    chosen = choosing.jobs(session, jobs, input_file)
    if len(chosen) != 1:
        raise ArgumentWrong(f"One job is rescued at a time, not {len(chosen)}.")
    found = compounds.rescue(session.client(session.settings.min_proxy_s), chosen[0])
    saved = session.saved_id(output, found.job)
    session.say(show_nodes.rescued(found.job, found.nodes, found.kept, saved))
    session.answer({"result": "success", "jobid": found.job, "parent": found.job, "rescued": chosen[0],
                    "nodes": found.nodes, "kept": found.kept})
    if nomsg and not session.common.json:
        click.echo(found.job)
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
