"""wms proxy: make, look at and remove a proxy file that all grid tools can read."""

from __future__ import annotations

import json as jsonlib
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from clients.errors import ArgumentWrong
from clients.main import Command

if TYPE_CHECKING:
    from clients.memberships import Asked
    from clients.proxies import Wish
    from wms.x509.proxy import Proxy

LONGEST_S = 10 * 365 * 86400.0
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document.")
_FILE = click.option("--file", "-f", "file", default="", metavar="FILE",
                     help="The proxy file. Default: X509_USER_PROXY, else /tmp/x509up_u and the user id.")
_PRINTED = ("subject", "issuer", "identity", "type", "strength", "path", "timeleft", "vo", "fqan", "actimeleft", "uri")


@click.group()
def proxy() -> None:
    """Proxy files: short-lived certificates that act for the user's own."""


def seconds(text: str) -> float:
    """A time as proxy tools take it, H:M or hours; ArgumentWrong when it is none."""
    found = re.fullmatch(r"(\d{1,6})(?::(\d{1,2}))?", text, re.ASCII)
    whole = int(found[1]) * 3600.0 + int(found[2] or 0) * 60.0 if found and int(found[2] or 0) < 60 else 0.0
    if not 0 < whole <= LONGEST_S:
        raise ArgumentWrong(f"not a time: {text!r}", hint="HOURS:MINUTES, as in 12:00.")
    return whole


@proxy.command(cls=Command)
@click.option("--cert", default="", metavar="FILE", help="The user's certificate. Default: X509_USER_CERT, else "
              "~/.globus/usercert.pem, else ~/.globus/usercred.p12.")
@click.option("--key", default="", metavar="FILE", help="Its key. Default: X509_USER_KEY, else ~/.globus/userkey.pem.")
@click.option("--out", default="", metavar="FILE", help="The new file. Default: X509_USER_PROXY, else /tmp/x509up_u "
              "and the user id.")
@click.option("--valid", default="12:00", show_default=True, metavar="H:M", help="How long it is good.")
@click.option("--hours", default="", metavar="H", help="The same in hours.")
@click.option("--bits", type=click.Choice(["2048", "3072", "4096"]), default="2048", show_default=True,
              help="Strength of its RSA key.")
@click.option("--ec", "curve", is_flag=True, help="A key on an elliptic curve (P-256); Globus cannot read those.")
@click.option("--limited", is_flag=True, help="A limited proxy, by which no job can be submitted.")
@click.option("--path-length", type=click.IntRange(0, 20), default=None, metavar="N",
              help="At most N proxies may be made from it, one of the other. Default: any number.")
@click.option("--voms", multiple=True, metavar="VO[:/GROUP[/Role=ROLE]]",
              help="Carry attributes of this VO; may be repeated, the first is the VO to act for.")
@click.option("--vomses", default="", metavar="PATH", help="File or directory that names the VOMS servers. Default: "
              "X509_VOMSES, ~/.glite/vomses, /etc/vomses, /etc/grid-security/vomses.")
@click.option("--vomslife", default="", metavar="H:M", help="How long the attributes are good. Default: as the proxy.")
@click.option("--pwstdin", is_flag=True, help="Read the pass phrase from standard input.")
@click.option("--rfc", is_flag=True, hidden=True)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing but errors.")
@_JSON
def init(cert: str, key: str, out: str, valid: str, hours: str, bits: str, curve: bool, limited: bool,
         path_length: int | None, voms: tuple[str, ...], vomses: str, vomslife: str, pwstdin: bool, rfc: bool,
         quiet: bool, as_json: bool) -> None:
    """Make a proxy (RFC 3820) of the user's certificate.

    The file is for the user alone and takes the place of the one before at once. A key that others can read is
    refused.
    """
    from clients import proxies

    wish = proxies.Wish(seconds(hours or valid), "ec" if curve else f"rsa:{bits}", limited, path_length)
    asked, asked_s = _asked(voms), seconds(vomslife or hours or valid)
    user = proxies.load(*proxies.find(os.environ, cert, key), _asking(pwstdin))
    if asked:
        wish = replace(wish, attributes=_attributes(user, asked, vomses, asked_s, quiet=quiet or as_json))
    _make(user, wish, os.path.abspath(out or _place("")), quiet=quiet, as_json=as_json)


def _asked(voms: tuple[str, ...]) -> list[Asked]:
    if not voms:
        return []
    from clients.memberships import read

    return read(voms)


def _attributes(user: Proxy, asked: list[Asked], vomses: str, lifetime_s: float, *, quiet: bool) -> list[bytes]:
    from clients import memberships

    given = memberships.get(user, asked, memberships.servers(os.environ, vomses), os.environ, lifetime_s, time.time())
    for one in given:
        if not quiet:
            click.echo(f"Attributes of {one.fqans[0] if one.fqans else 'nobody'} are from {one.server}.")
        for missing in one.missing:
            click.echo(f"**** Warning: UI_WARNING ****\n{one.server} did not give {missing}.", err=True)
    return [one.attributes for one in given]


def _asking(from_stdin: bool) -> Callable[[], bytes]:
    """The pass phrase, when one is needed."""
    def ask() -> bytes:
        if from_stdin:
            return sys.stdin.readline().rstrip("\n").encode()
        return str(click.prompt("Enter GRID pass phrase for this identity", hide_input=True, default="",
                                show_default=False, err=True)).encode()
    return ask


def _make(user: Proxy, wish: Wish, out: str, *, quiet: bool, as_json: bool) -> None:
    from clients import proxies, proxy_report
    from wms.x509.proxy import dump

    now = time.time()
    made = proxies.make(user, wish, now)
    proxies.write(made, out)
    report = proxy_report.of_file(dump(made.chain[0], made.key, made.chain[1:]), out)
    if as_json:
        click.echo(jsonlib.dumps(proxy_report.document(report, now)))
        return
    if not quiet:
        click.echo(f"Your identity: {report.identity}")
        click.echo(f"Your proxy is valid until: {time.strftime('%a %b %e %H:%M:%S %Y', time.localtime(report.end))}")
        click.echo(f"It is in {out}.")
    if report.end < now + wish.lifetime_s - 60:
        click.echo("**** Warning: UI_WARNING ****\nYour certificate ends then, so your proxy does.", err=True)


def _place(path: str) -> str:
    from clients import credential

    return path or credential.find(os.environ, os.getuid())[0]


def _printing(function: Callable[..., None]) -> Callable[..., None]:
    """An option for each single answer."""
    for name in reversed(_PRINTED):
        function = click.option(f"--{name}", is_flag=True, help=f"Print this alone: {name}.")(function)
    return function


@proxy.command(cls=Command)
@_FILE
@_printing
@click.option("--exists", "-e", is_flag=True, help="Print nothing: exit status 0 if there is a proxy that is good now, "
              "or as --valid and --bits say.")
@click.option("--valid", default="", metavar="H:M", help="With --exists: good for so long.")
@click.option("--hours", default="", metavar="H", help="The same in hours.")
@click.option("--bits", type=int, default=0, metavar="N", help="With --exists: a key of at least so many bits.")
@click.option("--all", "everything", is_flag=True, hidden=True)
@_JSON
def info(file: str, exists: bool, valid: str, hours: str, bits: int, everything: bool, as_json: bool,
         **asked: bool) -> None:
    """Show what a proxy file says; with options, the answers alone, one a line, in their order here."""
    from clients import private_files, proxy_report
    from wms.errors import BadCredential, CredentialNotFound

    place, now = _place(file), time.time()
    try:
        report = proxy_report.of_file(private_files.read(place).data, place)
    except OSError as error:
        if exists:
            raise click.exceptions.Exit(1) from None
        raise CredentialNotFound(f"No path to valid proxy file has been found: {place}: {error.strerror}",
                                 hint="Make one: wms proxy init", path=place) from None
    except BadCredential:
        if exists:
            raise click.exceptions.Exit(1) from None
        raise
    if exists:
        needed = seconds(valid or hours) if valid or hours else 0.0
        raise click.exceptions.Exit(0 if report.left(now) > needed and report.strength >= bits else 1)
    answers = proxy_report.values(report, now)
    if as_json:
        click.echo(jsonlib.dumps(proxy_report.document(report, now)))
    elif any(asked.values()):
        for name in _PRINTED:
            click.echo("".join(f"{line}\n" for line in answers[name]) if asked[name] else "", nl=False)
    else:
        click.echo(proxy_report.table(report, now))


@proxy.command(cls=Command)
@_FILE
@click.option("--dryrun", is_flag=True, help="Only say what would be removed.")
@_JSON
def destroy(file: str, dryrun: bool, as_json: bool) -> None:
    """Overwrite and remove the proxy file; exit status 1 when there is none."""
    from clients import private_files
    from wms.errors import CredentialNotFound

    place = _place(file)
    if not (os.path.lexists(place) if dryrun else private_files.remove(place)):
        raise CredentialNotFound(f"There is no proxy file {place}.", path=place)
    if as_json:
        click.echo(jsonlib.dumps({"result": "success", "removed": [] if dryrun else [place]}))
    elif dryrun:
        click.echo(f"Would remove {place}")
