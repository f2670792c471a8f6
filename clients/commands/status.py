"""job-status: the state of jobs, asked of each LB server in one call; with --watch until they are over."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import click

from clients import main as shared
from clients.errors import ArgumentsExclusive, ArgumentWrong, NoJobFound
from clients.session import Session
from wms.errors import WmsError

if TYPE_CHECKING:
    from clients.api import Status
    from clients.selection import Selection

STORED = "Bookkeeping information has been found and stored in the file:"


@shared.command("job-status")
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@shared.input_jobs
@click.option("--all", "every", is_flag=True, help="All my jobs at the configured LB servers.")
@click.option("--status", "-s", "only", multiple=True, metavar="STATE",
              help="Only jobs in this state (repeat).")
@click.option("--exclude", "-e", "without", multiple=True, metavar="STATE",
              help="No jobs in this state (repeat).")
@shared.since_time
@shared.until_time
@click.option("--user-tag", "tags", multiple=True, metavar="NAME=VALUE",
              help="Only jobs with this tag (repeat).")
@shared.verbosity_level
@click.option("--nonodes", is_flag=True, help="Do not list the nodes of compound jobs.")
@click.option("--watch", is_flag=True,
              help="Follow the jobs until each is done, aborted, cancelled or cleared.")
@shared.output_report
def command(session: Session, jobs: tuple[str, ...], input_file: str, every: bool, only: tuple[str, ...],
            without: tuple[str, ...], since: str, until: str, tags: tuple[str, ...], verbosity: int | None,
            nonodes: bool, watch: bool, output: str) -> int:
    """Tell where jobs stand."""
    from clients import choosing, documents, show
    from clients.reasons import of_statuses
    from clients.selection import Selection

    if every and (jobs or input_file):
        raise ArgumentsExclusive("--all excludes job identifiers and --input.")
    selection = Selection.parse(only, without, since, until, tags, time.time())
    if selection.narrows and not every:
        raise ArgumentWrong("--status, --exclude, --from, --to and --user-tag select among --all.")
    chosen = [] if every else choosing.jobs(session, jobs, input_file)
    found = _all(session, selection) if every else session.client().status(chosen)
    if watch:
        found = _watched(session, found)
    found = _with_nodes(session, found, nodes=not (nonodes or every))
    level = session.settings.status_level if verbosity is None else verbosity
    records = [one for one in found.values() if not isinstance(one, WmsError)]
    errors = [one for one in found.values() if isinstance(one, WmsError)]
    why = of_statuses(session.client(), records) if level >= 1 or session.common.json else {}
    if records:
        said = {job: reason.sentence for job, reason in why.items()}
        session.deliver(show.statuses(records, level, time.ctime, nodes=not nonodes, why=said), output, STORED)
    session.answer(documents.of_jobs({
        job: one if isinstance(one, WmsError) else documents.status(one, time.ctime, why)
        for job, one in found.items()}))
    return shared.finish(session, errors, len(records))


def _all(session: Session, selection: Selection) -> dict[str, Status | WmsError]:
    """Who looks for something finds it among nodes of compounds, too."""
    jobs = session.client().jobs(nodes=selection.narrows)
    found = {status["jobId"]: status for status in jobs if selection.takes(status)}
    if not found:
        raise NoJobFound("Unable to find any job matching the query.")
    return dict(found)


def _with_nodes(session: Session, found: dict[str, Status | WmsError], *,
                nodes: bool) -> dict[str, Status | WmsError]:
    """What compound jobs have below them, at least the number of nodes in each state."""
    if not any(_is_compound(one) for one in found.values()):
        return found
    from clients import compounds

    look = compounds.with_nodes if nodes else compounds.counted
    return {job: look(session.client(), one) if not isinstance(one, WmsError) and _is_compound(one) else one
            for job, one in found.items()}


def _is_compound(found: Status | WmsError) -> bool:
    return not isinstance(found, WmsError) and bool(found.get("children_num"))


def _watched(session: Session, found: dict[str, Status | WmsError]) -> dict[str, Status | WmsError]:
    """Follow the jobs one after another, saying each change; their last statuses."""
    from clients import show

    last = dict(found)
    for job, one in found.items():
        if isinstance(one, WmsError):
            continue
        said = ""
        for status in session.client().watch(job):
            if (moved := show.moved(_watched_now(session, status))) != said:
                said = moved
                session.say(f"{time.ctime(status.get('stateEnterTime', 0.0))}  {job}  {said}")
            last[job] = status
    return last


def _watched_now(session: Session, status: Status) -> Status:
    if not _is_compound(status):
        return status
    from clients import compounds

    return compounds.watched(session.client(), status)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
