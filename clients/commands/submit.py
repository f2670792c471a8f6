"""job-submit: submit a job description, once, and print the identifier."""

from __future__ import annotations

import os
from typing import NoReturn

import click

from clients import main as shared
from clients.session import Session


@shared.command("job-submit")
@click.argument("jdl_file", metavar="JDL", default="")
@click.option("--resource", "-r", default="", metavar="CE", help="Submit to this CE, without matchmaking.")
@click.option("--input", "-i", "input_file", default="", metavar="FILE", help="Choose the CE from this file.")
@click.option("--nodes-resource", default="", metavar="CE", help="Submit the nodes to this CE, without matchmaking.")
@click.option("--collection", default="", metavar="DIR", help="Submit the descriptions in this directory as one.")
@click.option("--dagman", default="", metavar="FILE", help="Submit the DAG of this DAGMan file.")
@click.option("--default-jdl", default="", metavar="FILE", help="Attributes for what the description does not say.")
@click.option("--chkpt", "state_file", default="", metavar="FILE",
              help="Begin the checkpointable job with this state, which job-get-chkpt saved.")
@click.option("--lrms", default="", metavar="TYPE", help="Batch system of the CE of a parallel job.")
@click.option("--valid", "-v", default="", metavar="HH:MM",
              help="Abort the job if it waits longer than this.")
@click.option("--to", "until", default="", metavar="[MM:DD:]HH:MM[:[CC]YY]",
              help="Abort the job if it still waits at this time.")
@shared.delegation_name
@shared.delegation_anew
@click.option("--output", "-o", default="", metavar="FILE", help="Append the job identifier to this file.")
@click.option("--nomsg", is_flag=True, help="Print the job identifier and nothing else.")
@click.option("--nolisten", is_flag=True, help="Do not attach this terminal to an interactive job.")
def command(session: Session, jdl_file: str, resource: str, input_file: str, nodes_resource: str, collection: str,
            dagman: str, default_jdl: str, state_file: str, lrms: str, valid: str, until: str, delegationid: str,
            autm_delegation: bool, output: str, nomsg: bool, nolisten: bool) -> int:
    """Submit the job or compound that the JDL file describes ('-': standard input) and print its identifier."""
    from clients import documents, show
    from clients.options import delegation, jdl_attributes, node_attributes
    from clients.preparing import prepare
    from clients.sources import settings_with, source
    from clients.submission import children

    session.quiet = nomsg
    attributes = jdl_attributes(session, resource=resource, input_file=input_file, lrms=lrms, valid=valid,
                                until=until, state_file=state_file)
    found = source(jdl_file, collection, dagman)
    prepared = prepare(found.jdl, found.directory, os.environ, settings_with(session.settings, default_jdl),
                       file=found.name, attributes=attributes, of_nodes=node_attributes(nodes_resource))
    wanted = delegation(session, delegationid, autm_delegation)
    submission = session.client(session.settings.min_proxy_s).send(prepared, wanted)
    saved = session.saved_id(output, submission.job)
    session.warn(*found.warnings, *submission.warnings)
    session.say(show.submitted(submission.job, saved))
    nodes = None if prepared.compound is None else {} if not prepared.counted else \
        children(submission.job, prepared.compound)
    warnings = (*found.warnings, *submission.warnings)
    session.answer(documents.submitted(submission.job, submission.endpoint, warnings, nodes))
    if nomsg and not session.common.json:
        click.echo(submission.job)
    if prepared.interactive and session.asks and not nomsg:
        from clients import attaching

        act = attaching.tell if nolisten else attaching.attach
        return act(session, submission.job)
    return 0


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
