"""lb-job-reg: register a job, or a compound job with its children, and say the code with which to go on."""

from __future__ import annotations

from typing import NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import server_option, unused
from clients.errors import ArgumentsExclusive, ArgumentWrong
from clients.session import Session


@shared.command("lb-job-reg", common=shared.FEW)
@server_option
@click.option("--jobid", "-j", "job", default="", metavar="JOBID", help="Register this job. Default: a new one.")
@click.option("--source", "-s", default="UserInterface", metavar="SOURCE", help="Who says so. Default: UserInterface.")
@click.option("--num-subjobs", "-n", "children", type=click.IntRange(0, 10_000_000), default=0, metavar="N",
              help="Children of a compound job.")
@click.option("--register-subjobs", "-S", "each", is_flag=True, help="Register each of the children, too.")
@click.option("--collection", "-C", is_flag=True, help="A collection; otherwise a DAG.")
@click.option("--jdl", "-l", "file", default="", metavar="FILE", help="The description.")
@click.option("--seed", "-e", default="", metavar="TEXT", help="Seed of the children's identifiers.")
@click.option("--exclusive", "-E", is_flag=True, help="Refuse a job that is or was there.")
@click.option("--parent", "-P", default="", metavar="JOBID", help="The job to which it belongs.")
@click.option("--owner", "-o", default="", metavar="DN", help="Whose job it is. Default: the caller's.")
@unused("--lbproxy", "-x")
@unused("--lbproxy-sock", "-X", value="SOCK")
@click.option("--cream", "-c", is_flag=True, help="A CREAM job.")
@click.option("--vm", "-v", is_flag=True, help="A virtual machine.")
def command(session: Session, server: str, job: str, source: str, children: int, each: bool, collection: bool,
            file: str, seed: str, exclusive: bool, parent: str, owner: str, cream: bool, vm: bool) -> int:
    """Register a job at an LB server."""
    from clients import registering
    from clients.bookkeeping import Bookkeeping

    if (collection or each) and not children:
        raise ArgumentWrong("--collection and --register-subjobs need --num-subjobs.")
    if sum((bool(children), cream, vm)) > 1:
        raise ArgumentsExclusive("--num-subjobs, --cream and --vm exclude each other.")
    book = Bookkeeping.of(session, server)
    id = registering.job_id(book, job)
    kind = ("COLLECTION" if collection else "DAG") if children else "CREAM" if cream else "VIRTUAL_MACHINE" if vm \
        else "SIMPLE"
    registered = registering.register(book, id, registering.Wanted(
        kind, registering.source(source), children, seed, registering.read(file), parent, owner, exclusive))
    if each:
        registering.register_children(book, id, children, seed, registered)
    if not job:
        session.say(f"new jobid: {id}")
    name = {"COLLECTION": "EDG_WL_COLLECTION_JOBID", "DAG": "EDG_WL_DAG_JOBID"}.get(kind, "EDG_JOBID")
    session.say(f'\n{name}="{id}"\nEDG_WL_SEQUENCE="{registered.seqcode}"')
    return registering.tell(session, id, registered.seqcode, children, seed)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
