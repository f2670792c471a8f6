"""lb-query: jobs or events by conditions, a line each: `attribute operator value`."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.session import Session


@shared.command("lb-query", common=shared.FEW)
@click.argument("file", metavar="[FILE]", default="-")
@server_option
@click.option("--query", "-q", default="", metavar="CONDITIONS",
              help="Conditions as in a URL, attr=val&attr<val|=val2, instead of a file.")
@click.option("--events", "-e", "wants_events", is_flag=True, help="Events instead of jobs.")
@click.option("--event-conditions", "-w", "about_events", default="", metavar="FILE",
              help="Conditions on the events, a line each.")
@click.option("--classads", "-C", is_flag=True, help="With descriptions.")
@click.option("--childstat", "-S", is_flag=True, help="With the statuses of children.")
@click.option("--no-jobs", "-N", is_flag=True, help="Without identifiers of jobs.")
@click.option("--no-states", is_flag=True, help="Identifiers only.")
@click.option("--results", "-r", type=click.Choice(["none", "limited", "all"]), default=None,
              help="What if there are too many. Default: GLITE_WMS_QUERY_RESULTS, else all pages.")
@click.option("--jobs-limit", "-J", type=click.IntRange(0), default=None, metavar="N", help="At most so many jobs.")
@click.option("--events-limit", "-E", type=click.IntRange(0), default=None, metavar="N", help="At most so many events.")
def command(session: Session, file: str, server: str, query: str, wants_events: bool, about_events: str,
            classads: bool, childstat: bool, no_jobs: bool, no_states: bool, results: str | None,
            jobs_limit: int | None, events_limit: int | None) -> int:
    """Find jobs (or events) that satisfy conditions: a line each, `attribute operator value`.

    Lines are read from FILE or standard input; all must hold; alternatives stand in one line.
    """
    from clients import querying
    from clients.bookkeeping import Bookkeeping

    book = Bookkeeping.of(session, server)
    lines = "" if query else querying.read(file)
    policy = querying.policy(results)
    if wants_events or about_events:
        events = querying.events(book, lines, query, querying.read(about_events) if about_events else "", policy,
                                 events_limit)
        session.say(querying.events_text(events))
        session.answer({"result": "success", "events": events})
        return 0
    flags = {"classads": classads, "childstat": childstat, "no_jobs": no_jobs, "no_states": no_states}
    chosen = tuple(name for name, wanted in flags.items() if wanted)
    jobs = querying.jobs(book, lines, query, chosen, policy, jobs_limit)
    session.say(querying.jobs_text(jobs, whole=classads or childstat))
    session.answer({"result": "success", "jobs": jobs})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
