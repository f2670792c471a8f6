"""job-info: what the service has of a job's description, and of delegated credentials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import click
import msgspec

from clients import main as shared
from clients.session import Session

if TYPE_CHECKING:
    from wms.operations import DelegationInfo

NAME = "glite-wms-job-info"
STORED = "The information has been stored in the file:"


@shared.command("job-info")
@click.option("--jdl", "registered", default="", metavar="JOBID", help="The description as it was registered.")
@click.option("--jdl-original", "-j", "original", default="", metavar="JOBID", help="The description as it was sent.")
@click.option("--proxy", "-p", "of_job", default="", metavar="JOBID", help="The credential of a job.")
@click.option("--delegationid", "-d", "delegation", default="", metavar="ID", help="A delegated credential.")
@shared.output_report
def command(session: Session, registered: str, original: str, of_job: str, delegation: str, output: str) -> int:
    """Show a job's description, or a credential that was delegated: say which, with one option."""
    from clients.errors import ArgumentMissing, ArgumentsExclusive

    given = [value for value in (registered, original, of_job, delegation) if value]
    if len(given) > 1:
        raise ArgumentsExclusive("--jdl, --jdl-original, --proxy and --delegationid exclude each other.")
    if not given:
        raise ArgumentMissing("Say what to show: --jdl, --jdl-original, --proxy or --delegationid.")
    if registered or original:
        return _description(session, registered or original, bool(registered), output)
    return _credential(session, of_job, delegation, output)


def _description(session: Session, job: str, registered: bool, output: str) -> int:
    from clients import show_credentials as show

    status = session.client().one_status(job)
    text = _text(str(status.get("jdl", "")), job if registered else "")
    _told(session, show.description(NAME, "registered" if registered else "original", job, text), output)
    session.answer({"result": "success", "jobid": job, "jdl": text})
    return 0


def _text(jdl: str, job: str) -> str:
    """One attribute a line; with the identifier of the job if it is given."""
    from wms.errors import NotFound
    from wms.jdl.ast import node
    from wms.jdl.parser import parse
    from wms.jdl.unparse import pretty

    if not jdl:
        raise NotFound("No description of this job is on record: it is too large, or the job was purged.")
    ad = parse(jdl)
    return pretty(ad.changed({"edg_jobid": node(job)}) if job else ad)


def _credential(session: Session, job: str, delegation: str, output: str) -> int:
    from clients import show_credentials as show

    place, found = _of_job(session, job) if job else _named(session, delegation)
    _told(session, show.described(NAME, place, found, time.time(), time.ctime), output)
    session.answer({"result": "success", "endpoint": show.url(place), **msgspec.to_builtins(found)})
    return 0


def _of_job(session: Session, job: str) -> tuple[str, DelegationInfo]:
    from wms.jobid import JobId
    from wms.operations import OPERATIONS

    connection = session.client().network_server(job)
    found = connection.call(OPERATIONS["ns.job_delegation"], unique=JobId.parse(job).unique)
    return connection.place, found


def _named(session: Session, name: str) -> tuple[str, DelegationInfo]:
    """At the first Network Server that answers."""
    from clients.submission import checked_name
    from wms.errors import NoServer
    from wms.operations import OPERATIONS

    client, checked = session.client(), checked_name(name)
    *others, last = client.settings.network_servers()
    for place in others:
        try:
            return str(place), client.at(place).call(OPERATIONS["ns.delegation"], delegation=checked)
        except NoServer as absent:
            session.trace(absent.message)
    return str(last), client.at(last).call(OPERATIONS["ns.delegation"], delegation=checked)


def _told(session: Session, text: str, output: str) -> None:
    """On the terminal, and in the file of --output too."""
    session.say(text)
    if output:
        session.deliver(text, output, STORED)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
