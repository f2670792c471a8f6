"""lb-dump: the events of an interval into a file of the server, and from there to here."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.session import Session

_TIME = "TIME"


@shared.command("lb-dump", common=shared.FEW)
@server_option
@click.option("--from", "-f", "since", default="", metavar=_TIME,
              help="First arrival: YYYYMMDDhhmmss of UTC, epoch seconds, LAST_START, LAST_END. Default: LAST_END.")
@click.option("--to", "-t", "until", default="NOW", metavar=_TIME, help="Until before this arrival. Default: NOW.")
@click.option("--output", "-o", default="", metavar="FILE", help="Fetch the file, too.")
def command(session: Session, server: str, since: str, until: str, output: str) -> int:
    """Have the events that arrived in an interval written to a file."""
    from clients import upkeep
    from clients.bookkeeping import Bookkeeping

    book = Bookkeeping.of(session, server)
    with upkeep.made(output or os.devnull) as file:
        dumped = upkeep.dump(book, since, until)
        if output:
            upkeep.fetch(book, dumped.name, file)
    session.say(upkeep.dump_text(dumped, output))
    session.answer({"result": "success", **upkeep.plain(dumped)})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
