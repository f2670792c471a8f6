"""lb-notify: be told of jobs that change: register, listen, extend, drop."""

from __future__ import annotations

import os
import time
from typing import Any, NoReturn

import click

from clients import main as shared
from clients.bookkeeping_options import all_of, server_option, unused
from clients.session import Session

REFRESH_S = 7200
FIELDS = "lastUpdateTime,jobid,stateName"
_conditions = all_of(
    click.option("--jobid", "-j", "jobs", multiple=True, metavar="JOBID", help="This job (repeat)."),
    click.option("--owner", "-o", "owners", multiple=True, metavar="DN", help="Jobs of this owner (repeat)."),
    click.option("--own", "-O", is_flag=True, help="My jobs."),
    click.option("--network-server", "-n", "servers", multiple=True, metavar="NS", help="Jobs of this server."),
    click.option("--vo", "-v", "vos", multiple=True, metavar="VO", help="Jobs of this virtual organisation."),
    click.option("--states", "-S", default="", metavar="STATE,...", help="Jobs in one of these states."),
    click.option("--changed", "-c", is_flag=True, help="Only when the state has changed."),
)


@click.group("lb-notify", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Be told of jobs that change."""


_id = click.argument("id", metavar="NOTIFID")
_validity = click.option("--validity", "-t", type=click.IntRange(0), default=0, metavar="SECONDS",
                         help="How long it holds. Default: as the server has it.")
_destination = click.option("--destination", "-a", default="", metavar="URL",
                            help="https://... a web hook, x-msg://TOPIC a message broker. Default: who listens.")

_sock = unused("--sock", "-s", value="SOCK")


def _asked(jobs: tuple[str, ...], owners: tuple[str, ...], own: bool, servers: tuple[str, ...],
           vos: tuple[str, ...], states: str, changed: bool) -> Any:
    from clients import notifying

    owner = [*owners, *([""] if own else [])]
    wanted = {"jobid": jobs, "owner": owner, "networkserver": servers,
              "status": [state.strip() for state in states.split(",") if state.strip()]}
    asked = notifying.conditions({**wanted, "vo": vos}, ["status"] if changed else [])
    return tuple(tuple(notifying.of_jdl(one) if one.attribute == "vo" else one for one in group) for group in asked)


@shared.command("new", common=shared.FEW)
@server_option
@_conditions
@click.option("--jdl", "-J", is_flag=True, help="Notices with descriptions.")
@click.option("--bootstrap", "-B", is_flag=True, help="First what matches now.")
@click.option("--terminal", "-T", is_flag=True, help="Only when a job is over.")
@click.option("--history", "-H", is_flag=True, help="Notices with events.")
@click.option("--anonymize", "-N", is_flag=True, help="Notices without the owner's name.")
@_validity
@_destination
@_sock
def new(session: Session, server: str, jdl: bool, bootstrap: bool, terminal: bool, history: bool, anonymize: bool,
        validity: int, destination: str, **which: Any) -> int:
    """Register a question about changes of jobs."""
    from clients import notifying
    from wms.operations.notifications import NewNotification

    flags = {"classads": jdl, "bootstrap": bootstrap, "terminal": terminal, "history": history, "anonymize": anonymize}
    asked = NewNotification(_asked(**which), tuple(name for name, wanted in flags.items() if wanted), destination,
                            float(validity))
    book = notifying.book_of(session, server)
    return _tell(session, notifying.new(notifying.server_of(book, os.environ), asked))


@shared.command("bind", common=shared.FEW)
@_id
@server_option
@_destination
@_validity
@_sock
def bind(session: Session, id: str, server: str, destination: str, validity: int) -> int:
    """Send notices elsewhere, and extend the registration."""
    from clients import notifying

    where = notifying.server_of(notifying.book_of(session, server), os.environ, id)
    return _tell(session, notifying.bind(where, id, destination, float(validity)))


@shared.command("change", common=shared.FEW)
@_id
@server_option
@_conditions
def change(session: Session, id: str, server: str, **which: Any) -> int:
    """Replace the conditions."""
    from clients import notifying

    where = notifying.server_of(notifying.book_of(session, server), os.environ, id)
    return _tell(session, notifying.change(where, id, _asked(**which)))


@shared.command("refresh", common=shared.FEW)
@_id
@server_option
@_validity
def refresh(session: Session, id: str, server: str, validity: int) -> int:
    """Extend the registration."""
    from clients import notifying

    where = notifying.server_of(notifying.book_of(session, server), os.environ, id)
    return _tell(session, notifying.refresh(where, id, float(validity)))


@shared.command("receive", common=shared.FEW)
@_id
@server_option
@click.option("--timeout", "-i", type=click.IntRange(1), default=220, metavar="SECONDS",
              help="How long to listen. Default: 220.")
@_validity
@click.option("--refresh", "-r", "again", is_flag=True, help="Extend the registration as long as this listens.")
@click.option("--fields", "-f", default=FIELDS, metavar="NAME,...", show_default=True,
              help="What to print of a notice, between tabs.")
@_sock
def receive(session: Session, id: str, server: str, timeout: int, validity: int, again: bool, fields: str) -> int:
    """Print notices as they come: a line each, with --json a JSON object each.

    Notices of a registration that nobody listened to have waited. Those that were printed are not told again.
    """
    import json

    from clients import notifying

    names = [name.strip() for name in fields.split(",") if name.strip()]
    where = notifying.server_of(notifying.book_of(session, server), os.environ, id)

    def told(notice: dict[str, Any]) -> None:
        click.echo(json.dumps(notice) if session.common.json else notifying.fields(notice, names))

    if validity:
        notifying.refresh(where, id, float(validity))
    notifying.receive(where, id, time.time() + timeout, told, refreshed_s=(validity or REFRESH_S) if again else 0.0)
    return 0


@shared.command("drop", common=shared.FEW)
@_id
@server_option
def drop(session: Session, id: str, server: str) -> int:
    """Forget the registration."""
    from clients import notifying

    notifying.drop(notifying.server_of(notifying.book_of(session, server), os.environ, id), id)
    session.say(f"{id} is dropped.")
    session.answer({"result": "success", "notification": id})
    return 0


@shared.command("list", common=shared.FEW)
@server_option
@click.option("--all", "everybody", is_flag=True, help="Those of everybody, for administrators.")
def listed(session: Session, server: str, everybody: bool) -> int:
    """List my registrations."""
    import msgspec

    from clients import notifying

    book = notifying.book_of(session, server)
    found = notifying.listed(notifying.server_of(book, os.environ), everybody=everybody)
    session.say("\n\n".join(map(notifying.text, found)) or "You have no registrations.")
    session.answer({"result": "success", "notifications": [msgspec.to_builtins(one) for one in found]})
    return 0


def _tell(session: Session, found: Any) -> int:
    import msgspec

    from clients import notifying

    session.say(notifying.text(found))
    session.answer({"result": "success", **msgspec.to_builtins(found)})
    return 0


for _one in (new, bind, change, refresh, receive, drop, listed):
    command.add_command(_one)


def main() -> NoReturn:
    shared.run(command)


if __name__ == "__main__":
    main()
