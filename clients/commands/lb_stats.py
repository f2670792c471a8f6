"""lb-stats: rates, durations and dwell times of jobs, per computing element."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.errors import ArgumentsExclusive
from clients.session import Session


@shared.command("lb-stats", common=shared.FEW)
@click.argument("destination", metavar="CE|ALL", default="ALL")
@click.argument("states", metavar="[STATE [STATE]]", nargs=-1)
@server_option
@click.option("--seconds", "-n", type=click.IntRange(1), default=None, metavar="S", help="Of the last S seconds.")
@click.option("--dwell", "-d", is_flag=True, help="How long jobs stay in STATE, instead of how many enter it.")
@click.option("--destinations", "-l", "names", is_flag=True, help="List the computing elements that are known.")
def command(session: Session, destination: str, states: tuple[str, ...], server: str, seconds: int | None,
            dwell: bool, names: bool) -> int:
    """Tell how many jobs a second enter a state, or how long they take from one to another.

    One STATE: its rate (of Ready, Scheduled, Running, Done OK, Done FAILED ...). Two: the time between them. States
    can be given by number: 5 6 0 is from Running to Done OK.
    """
    from clients import figures
    from clients.bookkeeping import Bookkeeping

    book = Bookkeeping.of(session, server)
    if names:
        found = figures.destinations(book)
        for name in found:
            session.say(name)
        session.answer({"result": "success", "destinations": found})
        return 0
    asked = figures.questions(states)
    if dwell and (not states or len(asked[0]) != 1):
        raise ArgumentsExclusive("--dwell is about one state.")
    told = [figures.ask(book, figures.query(destination, one, dwell=dwell, seconds=seconds)) for one in asked]
    session.say("\n".join(map(figures.text, told)))
    session.answer({"result": "success", "statistics": [figures.plain(one) for one in told]})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
