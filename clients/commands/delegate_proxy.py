"""job-delegate-proxy: give Network Servers a credential under a name, for jobs that are submitted later with -d."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NoReturn

import click

from clients import main as shared
from clients.session import Session
from wms.errors import NoServer, WmsError

if TYPE_CHECKING:
    from clients.api import Client
    from wms.operations import DelegationInfo

NAME = "glite-wms-job-delegate-proxy"
STORED = "The delegation has been noted in the file:"


@shared.command("job-delegate-proxy")
@click.option("--delegationid", "-d", default="", metavar="ID",
              help="Delegate under this name; one that is there already is renewed.")
@click.option("--autm-delegation", "-a", is_flag=True, help="Delegate under a new name, which is printed.")
@click.option("--all", "every", is_flag=True, help="To every configured Network Server.")
@shared.output_report
def command(session: Session, delegationid: str, autm_delegation: bool, every: bool, output: str) -> int:
    """Delegate the proxy or token, or renew what was delegated under this name before."""
    from clients import show_credentials as show

    name = _name(session, delegationid, autm_delegation)
    client = session.client()
    found, errors = _delegate(client, name, every)
    if found:
        places, kind = list(found), client.credential.kind
        session.say(show.delegated(NAME, places, name, kind, invented=autm_delegation))
        if output:
            session.deliver(show.delegated_file(NAME, time.ctime(), places, name), output, STORED)
    session.answer({"result": "success" if found else "failure", "delegation": name,
                    "endpoints": [show.url(place) for place in found],
                    "not_after": min((info.not_after for info in found.values() if info), default=0.0),
                    "errors": [error.record() for error in errors]})
    return shared.finish(session, errors, len(found))


def _name(session: Session, given: str, invent: bool) -> str:
    from clients.errors import ArgumentMissing
    from clients.options import delegation

    wanted = delegation(session, given, invent)
    if not wanted.name:
        raise ArgumentMissing("No delegationId found, please use one of the following methods:",
                              hint="--delegationid ID, --autm-delegation, or DelegationId in the configuration.")
    return wanted.name


def _delegate(client: Client, name: str, every: bool) -> tuple[dict[str, DelegationInfo | None], list[WmsError]]:
    """At all servers, or at the first with which a connection is made; and what went wrong elsewhere."""
    from clients.submission import delegate

    found, errors = dict[str, "DelegationInfo | None"](), list[WmsError]()
    for place in client.settings.network_servers():
        try:
            found[str(place)] = delegate(client.at(place), name)
        except NoServer as absent:
            errors.append(absent)
        except WmsError as refused:
            errors.append(refused)
            if not every:
                break
        if found and not every:
            return found, []
    return found, errors


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
