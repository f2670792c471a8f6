"""lb-register-sandbox: say that the sandbox of a job is moved, as a transfer with an identifier of its own."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option
from clients.errors import ArgumentMissing, ArgumentsExclusive
from clients.session import Session


@shared.command("lb-register-sandbox", common=shared.FEW)
@server_option
@click.option("--jobid", "-j", "job", required=True, metavar="JOBID", help="The job that computes.")
@click.option("--input", "-i", "is_input", is_flag=True, help="Its input sandbox.")
@click.option("--output", "-o", "is_output", is_flag=True, help="Its output sandbox.")
@click.option("--from", "-f", "origin", default="", metavar="URL", help="From where.")
@click.option("--to", "-t", "target", default="", metavar="URL", help="To where.")
@click.option("--source", "-s", default="LRMS", metavar="SOURCE", help="Who says so. Default: LRMS.")
@click.option("--sequence", "-c", default="", metavar="CODE",
              help="Sequence code of the job so far. Default: the one that the server has.")
@click.option("--subjobs", "-n", "children", type=click.IntRange(0, 100_000), default=0, metavar="N",
              help="Transfers of which it consists.")
def command(session: Session, server: str, job: str, is_input: bool, is_output: bool, origin: str, target: str,
            source: str, sequence: str, children: int) -> int:
    """Register the transfer of a sandbox, connected with its job; print identifiers and sequence codes."""
    from clients import registering, transfers
    from clients.bookkeeping import Bookkeeping
    from wms.jobid import JobId

    if is_input == is_output:
        raise ArgumentsExclusive("Either --input or --output.")
    if bool(origin) != bool(target) or not (origin or children):
        raise ArgumentMissing("Both --from and --to, or --subjobs.")
    wanted = transfers.Transfer("INPUT" if is_input else "OUTPUT", origin or "n/a", target or "n/a",
                                registering.source(source), children)
    id, codes = transfers.register(Bookkeeping.of(session, server), JobId.parse(job), wanted, sequence)
    letter = wanted.sandbox[0]
    session.say(f'GLITE_LB_{letter}SB_JOBID="{id}"\nGLITE_LB_{letter}SB_SEQUENCE="{codes.transfer}"\n'
                f'GLITE_WMS_SEQUENCE_CODE="{codes.job}"')
    return registering.tell(session, id, codes.transfer, children, "", job=job, job_seqcode=codes.job)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
