"""wms ce: the computing elements that the service knows: listed, shown, drained, resumed, checked.

Draining, resuming and checking are for administrators of the service (the action `administer` of its policy).
"""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from clients.main import Command

if TYPE_CHECKING:
    from clients.transport import Connection
    from wms.operations.ces import CeList, Probe

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ENDPOINT = click.option("--endpoint", "-e", default="", metavar="URL", help="The Network Server, if not the usual.")
_GLUE2 = click.option("--glue2", is_flag=True, help="As entities of GLUE 2.0, in JSON.")
_LDIF = click.option("--ldif", is_flag=True, help="As entities of GLUE 2.0, in LDIF for a directory.")


def _shared(function: Callable[..., Any]) -> Callable[..., Any]:
    return _ENDPOINT(_JSON(function))


@click.group()
def ce() -> None:
    """Computing elements: what is known of them, drain and resume, and a check with a real job."""


@contextmanager
def _server(endpoint: str) -> Iterator[Connection]:
    from clients.api import Client

    with Client.from_environment(endpoint) as client:
        yield client.at(client.settings.network_servers()[0])


def _document(**content: Any) -> None:
    import msgspec

    click.echo(jsonlib.dumps({"result": "success", **msgspec.to_builtins(content)}))


@ce.command("list", cls=Command)
@click.argument("name", default="", metavar="[CE]")
@_GLUE2
@_LDIF
@_shared
def listing(name: str, glue2: bool, ldif: bool, endpoint: str, as_json: bool) -> None:
    """All computing elements, or those of CE: an id, or the name of a configured one (all its queues).

    Response is the time a new job would wait, Measured what jobs of this service waited lately. What is unknown is `?`.
    """
    from clients import computing_elements as shown

    with _server(endpoint) as ns:
        found = shown.listing(ns, name, full=glue2 or ldif)
    if glue2 or ldif:
        click.echo(_rendered(found, ldif=ldif), nl=not ldif)
    elif as_json:
        _document(ces=found.ces, drained=found.drained, silent=found.silent)
    else:
        click.echo(shown.table(found))


def _rendered(found: CeList, *, ldif: bool) -> str:
    """GLUE 2.0: entities in JSON, or LDIF."""
    from wms.ce import glue2

    entities = glue2.entities({one.name: one.value for one in detail.attributes} for detail in found.details)
    return glue2.ldif(entities) if ldif else jsonlib.dumps({"result": "success", "glue2": glue2.document(entities)})


@ce.command(cls=Command)
@click.argument("name", metavar="CE")
@_GLUE2
@_LDIF
@_shared
def show(name: str, glue2: bool, ldif: bool, endpoint: str, as_json: bool) -> None:
    """Everything about CE: all attributes, who says each, and since when."""
    from clients import computing_elements as shown

    with _server(endpoint) as ns:
        found = shown.listing(ns, name, full=True)
    if glue2 or ldif:
        click.echo(_rendered(found, ldif=ldif), nl=not ldif)
    elif as_json:
        _document(ces=found.details)
    else:
        click.echo("\n\n".join(map(shown.full, found.details)))


@ce.command(cls=Command)
@click.argument("name", metavar="CE")
@click.option("--reason", "-r", required=True, metavar="TEXT", help="Why: users whose jobs wait for it are told.")
@_shared
def drain(name: str, reason: str, endpoint: str, as_json: bool) -> None:
    """Send no new jobs to CE, an id or the name of a configured one (all its queues); what runs there goes on."""
    from clients import computing_elements as shown

    with _server(endpoint) as ns:
        done = shown.drain(ns, name, reason)
    if as_json:
        _document(ce=done.ce, ces=done.ces, still=done.still)
    else:
        click.echo(shown.changed(done, "drained"))


@ce.command(cls=Command)
@click.argument("name", metavar="CE")
@_shared
def resume(name: str, endpoint: str, as_json: bool) -> None:
    """Send jobs to CE again, which was drained by this name."""
    from clients import computing_elements as shown

    with _server(endpoint) as ns:
        done = shown.resume(ns, name)
    if as_json:
        _document(ce=done.ce, ces=done.ces, still=done.still)
    else:
        click.echo(shown.changed(done, "resumed"))


@ce.command(cls=Command)
@click.argument("name", metavar="CE")
@click.option("--queue", "-q", default="", metavar="QUEUE",
              help="The queue to use. Default: that of the id, or the first of the configured CE.")
@click.option("--delegation", "-d", default="", metavar="ID",
              help="Give the test job the credential you delegated under this name. Default: a worthless one, which "
                   "shows whether credentials arrive; ARC and other CEs that ask who submits need a real one.")
@click.option("--drain", is_flag=True, help="Drain the CE if the check fails.")
@_shared
def check(name: str, queue: str, delegation: str, drain: bool, endpoint: str, as_json: bool) -> int:
    """Run a test job on CE and say what works; exit status 1 if something fails.

    CE is the name of a configured computing element, or the id of one of its queues. A check that is under way is
    joined. It takes a minute or two, longer where the queue is full.
    """
    from clients import computing_elements as shown
    from wms.operations.ces import CheckRequest

    def tell(probe: Probe) -> None:
        if not as_json:
            click.echo(shown.probe_line(probe))

    with _server(endpoint) as ns:
        name, its_queue = shown.configured(ns, name)
        report = shown.check(ns, CheckRequest(name, queue or its_queue, delegation, drain), tell)
    if as_json:
        _document(ce=report.ce, good=report.good, asked=report.asked, finished=report.finished,
                  drained=report.drained, probes=report.probes)
    elif report.drained:
        click.echo(f"{name} is drained, as its check failed. Resume it with: wms ce resume {name}")
    return 0 if report.good else 1
