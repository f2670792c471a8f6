"""lb-job-log: the events of a job, a line of ULM each."""

from __future__ import annotations

import time
from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option, unused
from clients.session import Session


@shared.command("lb-job-log", common=shared.FEW)
@click.argument("job", metavar="JOBID")
@server_option
@unused("--lbproxy", "-x")
@click.option("--repeat", "-r", type=click.IntRange(0, 10_000), default=0, metavar="N",
              help="Ask so many times again as long as there is nothing.")
@click.option("--delay", "-d", type=click.IntRange(1, 3600), default=10, metavar="SECONDS",
              help="Pause before asking again. Default: 10.")
def command(session: Session, job: str, server: str, repeat: int, delay: int) -> int:
    """Print the events of a job as lines of ULM."""
    import msgspec

    from clients.bookkeeping import Bookkeeping
    from wms.errors import NotFound, RemoteError
    from wms.ulm import to_ulm

    book = Bookkeeping.of(session, server)
    while True:
        try:
            events = book.events(job)
            break
        except RemoteError as error:
            if not repeat or error.status != NotFound.status:
                raise
        repeat -= 1
        time.sleep(delay)
    for event in events:
        session.say(to_ulm(event).rstrip("\n"))
    session.answer({"result": "success", "jobid": job, "events": [msgspec.to_builtins(event) for event in events]})
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
