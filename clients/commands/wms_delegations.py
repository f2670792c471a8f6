"""wms delegations: the credentials that the service holds for the user, listed and destroyed.

Delegating is `job-delegate-proxy`, and what job-submit does by itself; one of them is looked at with `job-info`.
"""

from __future__ import annotations

import json as jsonlib
import time
from typing import TYPE_CHECKING

import click

from clients.main import Command

if TYPE_CHECKING:
    from wms.operations import DelegationInfo

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_ENDPOINT = click.option("--endpoint", "-e", default="", metavar="URL", help="The Network Server, if not the usual.")
_HEADS = ("Delegation", "Kind", "VO", "Jobs", "Ends", "Renewed next")


@click.group()
def delegations() -> None:
    """The credentials that you delegated."""


@delegations.command("list", cls=Command)
@_ENDPOINT
@_JSON
def listing(endpoint: str, as_json: bool) -> None:
    """All that the service holds for you."""
    import msgspec

    from clients.api import Client

    with Client.from_environment(endpoint) as client:
        found = client.delegations()
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "delegations": msgspec.to_builtins(found)}))
        return
    rows = [_HEADS, *map(_row, found)] if found else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    if not found:
        click.echo("The service holds nothing for you.")


def _row(one: DelegationInfo) -> tuple[str, ...]:
    return (one.id, one.kind, one.vo or "-", str(one.jobs), _local(one.not_after),
            _local(one.next_renewal) if one.next_renewal else "never")


def _local(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


@delegations.command(cls=Command)
@click.argument("name")
@click.option("--force", is_flag=True, help="Also when jobs need it: they end when it is gone.")
@_ENDPOINT
@_JSON
def destroy(name: str, force: bool, endpoint: str, as_json: bool) -> None:
    """Have the service forget the credential NAME and its key."""
    import msgspec

    from clients.api import Client

    with Client.from_environment(endpoint) as client:
        gone = client.destroy_delegation(name, force=force)
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", **msgspec.to_builtins(gone)}))
        return
    click.echo(f"The service has forgotten {gone.id}.")
    if gone.jobs:
        named = ", ".join(gone.needed_by)
        click.echo(f"**** Warning: UI_WARNING ****\n{gone.jobs} jobs needed it, among them: {named}", err=True)
