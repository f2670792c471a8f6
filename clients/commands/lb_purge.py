"""lb-purge: have old jobs forgotten, their events kept in a file of the server."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option, unused
from clients.session import Session

_AGE = "NNN[smhd]"


@shared.command("lb-purge", common=shared.FEW)
@server_option
@click.option("--aborted", "-a", default="", metavar=_AGE,
              help="Age of Aborted jobs; -1: as the server has it, -2: never.")
@click.option("--cleared", "-c", default="", metavar=_AGE, help="Age of Cleared jobs.")
@click.option("--cancelled", "-n", default="", metavar=_AGE, help="Age of Cancelled jobs.")
@click.option("--done", "-e", default="", metavar=_AGE, help="Age of Done jobs.")
@click.option("--other", "-o", default="", metavar=_AGE, help="Age of all others.")
@click.option("--dry-run", "-r", "dry", is_flag=True, help="Only say what would be forgotten.")
@click.option("--jobs", "--jobid-file", "-j", "file", default="", metavar="FILE",
              help="These jobs, an identifier a line (-: stdin).")
@click.option("--list", "--return-list", "-l", "names", is_flag=True, help="Say which jobs.")
@click.option("--server-dump/--no-server-dump", "-s/-S", "dump", default=True,
              help="Keep the events in a file of the server. Default: yes.")
@click.option("--target", "--target-runtime", "-t", "target", default="", metavar=_AGE,
              help="Spread the work over so long.")
@click.option("--background", "-b", is_flag=True, help="Do not wait for the end.")
@unused("--proxy", "-x")
@unused("--sock", "-X", value="SOCK")
@click.option("--progress", is_flag=True, help="Only say how far the last purge is.")
def command(session: Session, server: str, aborted: str, cleared: str, cancelled: str, done: str, other: str,
            dry: bool, file: str, names: bool, dump: bool, target: str, background: bool, progress: bool) -> int:
    """Forget jobs whose last event is old."""
    from clients import upkeep
    from clients.bookkeeping import Bookkeeping

    book = Bookkeeping.of(session, server)
    asked = upkeep.purge_request(
        {"aborted_s": aborted, "cleared_s": cleared, "cancelled_s": cancelled, "done_s": done, "other_s": other},
        file, really=not dry, names=names, dump=dump, background=background, target=target)
    purged = upkeep.progress(book) if progress else upkeep.purge(book, asked)
    session.say(upkeep.purge_text(purged))
    status = upkeep.purge_status(purged)
    session.answer({"result": {0: "success", shared.PARTIAL: "partial"}.get(status, "failure"), **upkeep.plain(purged)})
    return status


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
