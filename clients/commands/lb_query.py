"""lb-query: jobs or events by conditions, a line each: `attribute operator value`."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option, unused
from clients.errors import ArgumentsExclusive
from clients.session import Session


@shared.command("lb-query", common=shared.FEW)
@click.argument("file", metavar="[FILE]", default="-")
@server_option
@click.option("--input", "-i", "input_file", default="", metavar="FILE", help="Conditions, as the argument.")
@click.option("--query", "-q", default="", metavar="CONDITIONS",
              help="Conditions as in a URL, attr=val&attr<val|=val2, instead of a file.")
@click.option("--events", "-e", "wants_events", is_flag=True,
              help="Events instead of jobs. Lines after an empty one are conditions on the events.")
@click.option("--event-conditions", "-w", "event_file", default="", metavar="FILE",
              help="Conditions on the events from this file (-: stdin).")
@click.option("--states", "-s", "whole", is_flag=True, help="Every field of each job.")
@click.option("--classads", "-C", is_flag=True, help="Every field, with descriptions.")
@click.option("--childstat", "-S", is_flag=True, help="Every field, with the statuses of children.")
@click.option("--no-jobs", "-N", is_flag=True, help="With --json: without identifiers of jobs.")
@click.option("--no-states", is_flag=True, help="Identifiers only, one a line.")
@click.option("--results", "-r", type=click.Choice(["none", "limited", "all"], case_sensitive=False), default=None,
              help="Beyond the limit: none (an error), limited (the first), all (of one owner, or events of one job). "
                   "Default: GLITE_WMS_QUERY_RESULTS, else limited.")
@click.option("--jobs-limit", "-J", type=click.IntRange(0), default=None, metavar="N",
              help="At most so many jobs. Default: GLITE_WMS_QUERY_JOBS_LIMIT, else all.")
@click.option("--events-limit", "-E", type=click.IntRange(0), default=None, metavar="N",
              help="At most so many events. Default: GLITE_WMS_QUERY_EVENTS_LIMIT, else all.")
@unused("--proxy", "-P")
@unused("--proxy-sock", "-p", value="SOCK")
def command(session: Session, file: str, server: str, input_file: str, query: str, event_file: str,
            results: str | None, jobs_limit: int | None, events_limit: int | None, **flags: bool) -> int:
    """Find jobs (or events) that satisfy conditions: a line each, `attribute operator value`.

    Lines are read from FILE or standard input; all must hold; alternatives stand in one line, as in
    `status = running status = done`. Operators are = <> < > and @ (within, two values). An attribute that is not
    known is a user tag. One of them must be jobid, parent_job, owner, destination, location, last_update_time or a tag.
    """
    from clients import querying
    from clients.bookkeeping import Bookkeeping, limit
    from wms.operations.bookkeeping import JobQuery

    if flags.pop("wants_events") or event_file:
        return _events(session, server, query, input_file or file, event_file, results, events_limit)
    book, policy = Bookkeeping.of(session, server), querying.policy(results)
    whole = flags.pop("whole") or flags["classads"] or flags["childstat"]
    answer = book.ask("lb.query_jobs", JobQuery(
        query=query, lines="" if query else querying.read(input_file or file), policy=policy,
        flags=tuple(name for name, wanted in flags.items() if wanted), limit=limit("QUERY_JOBS_LIMIT", jobs_limit)))
    session.say(querying.ids_text(answer.found) if flags["no_states"] else
                querying.jobs_text(answer.found, whole=whole))
    answer.warn(session)
    session.answer({"result": "success", "jobs": answer.found, "more": answer.more})
    return 0


def _events(session: Session, server: str, query: str, file: str, event_file: str, results: str | None,
            events_limit: int | None) -> int:
    from clients import querying
    from clients.bookkeeping import Bookkeeping, limit
    from wms.operations.bookkeeping import EventQuery

    book, policy = Bookkeeping.of(session, server), querying.policy(results)
    if event_file == file == "-" and not query:
        raise ArgumentsExclusive("Only one of both kinds of conditions can come from standard input.")
    lines, about = querying.in_two("" if query else querying.read(file))
    answer = book.ask("lb.query_events", EventQuery(
        query=query, lines=lines, event_lines=about + (querying.read(event_file) if event_file else ""),
        policy=policy, limit=limit("QUERY_EVENTS_LIMIT", events_limit)))
    session.say(querying.events_text(answer.found))
    answer.warn(session)
    session.answer({"result": "success", "events": answer.found, "more": answer.more})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
