"""lb-user-jobs: the caller's jobs with their states, children below their parents."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.session import Session


@shared.command("lb-user-jobs", common=shared.FEW)
@click.argument("owner", metavar="[DN]", default="")
@server_option
@click.option("--limit", "-J", type=click.IntRange(1), default=None, metavar="N",
              help="At most so many. Default: GLITE_WMS_QUERY_JOBS_LIMIT, then all.")
def command(session: Session, owner: str, server: str, limit: int | None) -> int:
    """List my jobs, or those of somebody who lets me read them."""
    from clients import bookkeeping, lb_show
    from clients.bookkeeping import Bookkeeping

    book = Bookkeeping.of(session, server)
    answer = book.user_jobs(owner, bookkeeping.limit("QUERY_JOBS_LIMIT", limit))
    session.say(lb_show.user_jobs(answer.found))
    answer.warn(session)
    session.answer({"result": "success", "jobs": answer.found, "more": answer.more})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
