"""`wmsd policy`: whether a policy can be used, and what it says of a caller and an action. Changes nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

import click

from wms import config
from wms.authz.actions import ACTIONS
from wms.authz.gate import Gate, load
from wms.authz.policy import Decision, Policy, Verdict, decide, named
from wms.authz.relations import Reach
from wms.errors import ConfigError
from wms.identity import TOKEN, Identity, token_name

_FILE = click.option("--file", "path", default="", metavar="FILE", type=click.Path(dir_okay=False),
                     help="A policy that is not in force; else the one of the configuration.")
SENTENCES: Mapping[Verdict, str] = {
    Verdict.ALLOWED: "{action} is allowed by {by}{jobs}.",
    Verdict.BANNED: "{action} is refused: banned by {by}.",
    Verdict.DRAINING: "{action} is refused: the service is drained.",
    Verdict.SCOPE: "{action} is refused: the token lacks the scope {by}.",
    Verdict.LIMITED: "{action} is refused: the proxy is limited.",
    Verdict.DENIED: "{action} is refused by {by}.",
    Verdict.NO_RULE: "{action} is refused: no rule allows it.",
}
JOBS = {Reach.OWN: "own jobs", Reach.VO: "jobs of the VO", Reach.ALL: "all jobs"}


@click.group()
def policy() -> None:
    """Look at the policy: who may do what."""


@policy.command()
@click.argument("file", default="", type=click.Path(dir_okay=False))
@click.pass_context
def check(context: click.Context, file: str) -> None:
    """Say whether FILE, or the policy of the configuration, can be used; all problems at once."""
    found = _policy(context, file)
    click.echo(f"The policy is sound: {len(found.rules)} rules, {len(found.bans)} bans, {len(found.superusers)} "
               f"superusers, {len(found.owners)} credentials of owners.{' The service is drained.' * found.drain}")


@policy.command()
@click.option("--dn", default="", help="Name of a certificate.")
@click.option("--ca", default="", metavar="DN", help="Who signed it.")
@click.option("--fqan", "fqans", multiple=True, help="VOMS attribute; more than once for more.")
@click.option("--limited", is_flag=True, help="A limited proxy.")
@click.option("--issuer", default="", metavar="URL", help="Issuer of a token.")
@click.option("--subject", default="", help="Subject of a token.")
@click.option("--group", "groups", multiple=True, help="Group of a token; more than once for more.")
@click.option("--scope", "scopes", multiple=True, help="Scope of a token; more than once for more.")
@click.option("--vo", default="", help="VO; else that of the first FQAN.")
@click.option("--from", "peer", default="", metavar="ADDRESS", help="Where the call comes from.")
@click.option("--action", required=True, type=click.Choice(sorted(ACTIONS)), help="What is asked for.")
@_FILE
@click.pass_context
def explain(context: click.Context, /, path: str, action: str, peer: str, **credential: object) -> None:
    """Say whether a caller may do something, and which rule decides.

    Exit status 1 if not.
    """
    found = _policy(context, path)
    who = named(found, _identity(**credential))  # type: ignore[arg-type]
    decision = decide(found, who, action, peer)
    if who.shown:
        click.echo(f"{who.shown} belongs to {who.dn}.")
    click.echo(sentence(action, decision))
    sys.exit(0 if decision.verdict is Verdict.ALLOWED else 1)


def sentence(action: str, found: Decision) -> str:
    """What was decided, and by what."""
    jobs = f", for {JOBS[found.jobs]}" if ACTIONS[action].others else ""
    return SENTENCES[found.verdict].format(action=action, by=found.by, jobs=jobs)


def _policy(context: click.Context, path: str) -> Policy:
    """With lb.super_users when it is that of the configuration."""
    if path:
        return load(path).policy
    return Gate(config.load(context.obj, os.environ)).policy


def _identity(*, dn: str, ca: str, fqans: tuple[str, ...], limited: bool, issuer: str, subject: str,
              groups: tuple[str, ...], scopes: tuple[str, ...], vo: str) -> Identity:
    if bool(dn) == bool(issuer and subject):
        raise ConfigError("Say who: --dn of a certificate, or --issuer and --subject of a token.")
    vo = vo or (fqans[0].split("/")[1] if fqans and fqans[0].startswith("/") else "")
    if dn:
        return Identity(dn, ca_dn=ca, fqans=fqans, limited=limited, vo=vo, groups=groups, not_after=0.0)
    return Identity(token_name(issuer, subject), kind=TOKEN, issuer=issuer, subject=subject, groups=groups, vo=vo,
                    scopes=frozenset(scopes), not_after=0.0)
