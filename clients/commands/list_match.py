"""job-list-match: the CEs that would be considered for a job now, best first. Nothing is submitted."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from clients import main as shared
from clients.session import Session

STORED = "Computing Element(s) matching your job requirements have been stored in the file:"


@shared.command("job-list-match")
@click.argument("jdl_file", metavar="JDL")
@click.option("--rank", is_flag=True, help="Tell the rank of each CE.")
@click.option("--verbose", "-v", "--explain", "explain", is_flag=True,
              help="Tell how many CEs each clause leaves, and how many more there were without it.")
@shared.delegation_name
@shared.delegation_anew
@click.option("--output", "-o", default="", metavar="FILE", help="Write the list to this file.")
def command(session: Session, jdl_file: str, rank: bool, explain: bool, delegationid: str,
            autm_delegation: bool, output: str) -> int:
    """List the CEs that match the job of the JDL file ('-': standard input); none is an answer too."""
    from clients import documents, show
    from clients.options import delegation, read_jdl
    from clients.preparing import prepare

    text, name, directory = read_jdl(jdl_file)
    settings = session.settings
    prepared = prepare(text, directory, os.environ, settings, file=name, sandbox=False)
    wanted = delegation(session, delegationid, autm_delegation)
    client = session.client()
    server = settings.network_servers()[0]
    session.say(f"Connecting to host {server.host}, port {server.port}")
    if settings.vo:
        session.say(f"Selected Virtual Organisation name ({settings.vo_from}): {settings.vo}")
    found = client.list_match(prepared, explain=explain, delegation=wanted)
    session.warn(*prepared.warnings, *found.warnings)
    session.deliver(show.matches(found, rank=rank, explain=explain), output, STORED)
    session.answer(documents.matches(found))
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
