"""wms login, logout and token: bearer tokens from an issuer, for commands on this machine."""

from __future__ import annotations

import json as jsonlib
import os
import time
from typing import TYPE_CHECKING, Any

import click

from clients.errors import ArgumentMissing
from clients.main import Command

if TYPE_CHECKING:
    from clients.login import Login
    from clients.token_issuer import Issuer

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")


@click.command(cls=Command)
@click.option("--issuer", default="", metavar="URL", help="The token issuer. Default: TokenIssuer as configured.")
@click.option("--client-id", default="", metavar="ID", help="This client at the issuer. Default: TokenClientId.")
@click.option("--scope", default="", metavar="WORDS", help="What the token is to allow. Default: TokenScope, else "
              "all of compute.* and offline_access, which lets the login be renewed.")
@click.option("--audience", default="", metavar="URL", help="The service it is for. Default: TokenAudience, else any.")
@click.option("--client-secret-file", "secret_file", default="", metavar="FILE", help="The secret of the client.")
@click.option("--robot/--device", default=None,
              help="Log in as the client itself, by its secret; or as a person, at a browser. Default: by the "
                   "secret if there is one.")
@click.option("--config", "-c", default="", metavar="FILE", help="Configuration file (a ClassAd).")
@_JSON
def login(issuer: str, client_id: str, scope: str, audience: str, secret_file: str, robot: bool | None, config: str,
          as_json: bool) -> None:
    """Get a token, by a code to be entered at a browser, and keep what renews it.

    The token is put where commands look for it: BEARER_TOKEN_FILE, XDG_RUNTIME_DIR/bt_u and the user id, or /tmp.
    """
    from clients import login as logins
    from clients.settings import resolve
    from clients.token_issuer import discover

    settings = resolve(os.environ, config=[config] if config else ())
    url, client = issuer or settings.token_issuer, client_id or settings.token_client
    if not url or not client:
        raise ArgumentMissing("Say at which issuer and as which client: --issuer URL --client-id ID.",
                              hint="Or name them in a configuration file: TokenIssuer and TokenClientId.")
    is_robot = bool(secret_file) if robot is None else robot
    if is_robot and not secret_file:
        raise ArgumentMissing("--robot needs --client-secret-file.")
    found = discover(url, logins.context_of(os.environ))
    wanted = logins.Login(found.url, client, scope or settings.token_scope or logins.SCOPE,
                          audience or settings.token_audience, _place(), secret_file=os.path.abspath(secret_file)
                          if secret_file else "")
    reply = logins.as_robot(found, wanted) if is_robot else _at_a_browser(found, wanted, quiet=as_json)
    _tell(reply, logins.keep(reply, wanted, os.environ), as_json)


def _place() -> str:
    from clients import tokens

    return os.path.abspath(tokens.place(os.environ, os.getuid()))


def _at_a_browser(issuer: Issuer, wanted: Login, *, quiet: bool) -> dict[str, Any]:
    from clients import login as logins

    prompt = logins.begin(issuer, wanted)
    click.echo(f"Open {prompt.url} in a browser and enter the code {prompt.user_code}", err=quiet)
    if prompt.complete_url:
        click.echo(f"or open {prompt.complete_url}", err=quiet)
    click.echo(f"Waiting for {prompt.expires_s / 60:.0f} minutes at most; Ctrl-C gives up.", err=quiet)
    return logins.wait(issuer, wanted, prompt, time.monotonic, time.sleep)


def _tell(reply: dict[str, Any], kept: Login, as_json: bool) -> None:
    from clients import tokens

    said = tokens.claims(str(reply["access_token"]))
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "issuer": kept.issuer, "subject": said.get("sub", ""),
                                  "expires": tokens.end(said), "token_file": kept.token_file,
                                  "renewable": bool(kept.refresh_token or kept.secret_file)}))
        return
    click.echo(f"You are {said.get('sub', '')} of {kept.issuer}.")
    click.echo(f"The token is good until {_local(tokens.end(said))} and in {kept.token_file}.")
    if kept.refresh_token or kept.secret_file:
        click.echo("Commands renew it when it ends.")
    if instead := _overridden(kept.token_file):
        click.echo(f"**** Warning: UI_WARNING ****\nCommands use {instead} instead.", err=True)


def _overridden(path: str) -> str:
    """What commands find before the token at `path`, empty when nothing."""
    from clients import credential, tokens

    found = tokens.find(os.environ, os.getuid())
    proxy = credential.find(os.environ, os.getuid())[0]
    if found.token:
        return "the token in BEARER_TOKEN"
    if found.sure or not (os.environ.get("X509_USER_PROXY") or os.path.lexists(proxy)):
        return ""
    return f"the proxy {proxy}, unless BEARER_TOKEN_FILE={path} is set,"


def _local(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S %Z", time.localtime(moment))


@click.command(cls=Command)
@_JSON
def logout(as_json: bool) -> None:
    """Remove the token and what renews it; harmless when there is none."""
    from clients.login import forget

    removed = forget(os.environ, _place())
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "removed": removed}))
    else:
        click.echo("\n".join(f"Removed {path}" for path in removed) or "There was no token.")


@click.group()
def token() -> None:
    """The token that commands find."""


@token.command(cls=Command)
@_JSON
def info(as_json: bool) -> None:
    """Show what the token says of itself, not its signature; exit status 1 if it has expired."""
    from clients import tokens

    found = tokens.find(os.environ, os.getuid())
    said = tokens.shown(tokens.text_of(found, os.getuid()))
    left = max(0.0, tokens.end(said["claims"]) - time.time())
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "path": found.path, "timeleft": int(left), **said}))
    else:
        click.echo(tokens.table(said["claims"], found.path, left))
    if not left:
        raise click.exceptions.Exit(1)
