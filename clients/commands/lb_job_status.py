"""lb-job-status: every field of the status of jobs, as the bookkeeping keeps it."""

from __future__ import annotations

import time
from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import UNUSED, server_option
from clients.errors import ArgumentMissing
from clients.session import Session
from wms.errors import WmsError


@shared.command("lb-job-status", common=shared.FEW)
@click.argument("jobs", metavar="[JOBID]...", nargs=-1)
@server_option
@click.option("--lbproxy", "-x", "sock", default="", metavar="SOCK", help=UNUSED)
@click.option("--all", "every", is_flag=True, help="All my jobs at the server, each by itself.")
@click.option("--fasthist", is_flag=True, help="Histogram of the children as it is kept.")
@click.option("--fullhist", is_flag=True, help="Histogram of the children, counted anew.")
@click.option("--nochildrenstates", is_flag=True, help="Without the statuses of the children.")
def command(session: Session, jobs: tuple[str, ...], server: str, sock: str, every: bool, fasthist: bool,
            fullhist: bool, nochildrenstates: bool) -> int:
    """Tell every field of the status of jobs."""
    from clients import documents, lb_show
    from clients.bookkeeping import Bookkeeping

    if sock.startswith("https://"):
        jobs = (sock, *jobs)
    if bool(jobs) == every:
        raise ArgumentMissing("Either identifiers of jobs, or --all.")
    book = Bookkeeping.of(session, server)
    flags = [*(["childhist_thorough"] if fullhist else ["childhist_fast"] if fasthist else []), "classads",
             *([] if nochildrenstates or every else ["children", "childstat"])]
    found = book.all_statuses(flags) if every else book.statuses(jobs, flags)
    for one in found.values():
        if not isinstance(one, WmsError):
            session.say(lb_show.status(one, time.ctime))
    session.answer(documents.of_jobs(found))
    errors = [one for one in found.values() if isinstance(one, WmsError)]
    return shared.finish(session, errors, len(found) - len(errors))


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
