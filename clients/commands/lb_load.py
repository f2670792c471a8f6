"""lb-load: the events of a log into a server."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.session import Session


@shared.command("lb-load", common=shared.FEW)
@server_option
@click.option("--file", "-f", "file", required=True, metavar="FILE",
              help="A log, ULM or JSON lines (-: stdin); with --there the name of a file of the server.")
@click.option("--there", is_flag=True, help="The file is in the server's directory of dumps.")
def command(session: Session, server: str, file: str, there: bool) -> int:
    """Load a log of events: what a dump or a purge wrote, or any other."""
    from clients import upkeep
    from clients.bookkeeping import Bookkeeping

    loaded = upkeep.load(Bookkeeping.of(session, server), file, there=there)
    session.say(upkeep.load_text(loaded))
    session.answer({"result": "partial" if loaded.rejected else "success", **upkeep.plain(loaded)})
    return shared.PARTIAL if loaded.rejected else 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
