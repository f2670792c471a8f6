"""Manual pages and the command reference, derived from the commands: `python -m clients.manpage DIR`.

Everything but `write` is pure: a click command in, text out.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from clients.commands import PROGRAMS
from wms.version import VERSION

EXIT_STATUS = (
    ("0", "What was asked for has happened."),
    ("1", "It has not; standard error (or, with --json, standard output) says why."),
    ("2", "The command line or the configuration makes no sense."),
    ("255", "It happened for some of the jobs only."),
)
ENVIRONMENT = (
    ("X509_USER_PROXY", "The user's proxy file. Default: /tmp/x509up_u and the numerical user id."),
    ("BEARER_TOKEN, BEARER_TOKEN_FILE", "A bearer token, or the file that holds it; before any proxy. Without these "
                                        "and any proxy: bt_u and the user id in XDG_RUNTIME_DIR, then in /tmp."),
    ("X509_CERT_DIR", "Directory of CA certificates. Default: /etc/grid-security/certificates."),
    ("WMS_ENDPOINT", "The Network Server, https://HOST:PORT."),
    ("WMS_LB", "The LB server to ask where no job identifier names one. Default: as the Network Server."),
    ("WMS_VO", "Virtual organisation, when neither --vo nor a configuration file names one."),
    ("GLITE_WMSUI_CONFIG_VAR, GLITE_WMSUI_CONFIG_VO", "Configuration files, as --config and --config-vo."),
)
LB_ENVIRONMENT = (
    ("GLITE_WMS_QUERY_SERVER", "LB server to ask where no job identifier names one, HOST[:PORT]. This and the "
                               "following may begin with EDG_WL_ instead, their older name."),
    ("GLITE_WMS_QUERY_SERVER_OVERRIDE", "yes: ask that server about all jobs."),
    ("GLITE_WMS_QUERY_TIMEOUT", "Seconds to wait for an answer, at most 1800."),
    ("GLITE_WMS_QUERY_JOBS_LIMIT, GLITE_WMS_QUERY_EVENTS_LIMIT", "The most jobs and events to ask for."),
    ("GLITE_WMS_QUERY_RESULTS", "What to do when there are more: none, limited or all."),
    ("GLITE_WMS_NOTIF_SERVER, GLITE_WMS_NOTIF_TIMEOUT", "The same for notifications."),
)
"""Of the lb-* commands, besides."""


def environment(name: str) -> Sequence[tuple[str, str]]:
    """(variable, its meaning) of a command."""
    return (*ENVIRONMENT[:3], ENVIRONMENT[4], *LB_ENVIRONMENT) if name.startswith("lb-") and name != "lb-logevent" \
        else ENVIRONMENT


def commands() -> dict[str, click.Command]:
    """Every command by the name of its module."""
    return {module: importlib.import_module(f"clients.commands.{module}").command for module in PROGRAMS}


def rows(command: click.Command) -> list[tuple[str, str]]:
    """(how it is written, what it does) of each option."""
    context = click.Context(command, info_name=command.name)
    options = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    return [record for option in options if (record := option.get_help_record(context)) is not None]


def usage(command: click.Command) -> str:
    """`job-status [OPTIONS] [JOBID]...`"""
    context = click.Context(command, info_name=command.name)
    return " ".join([str(command.name), *command.collect_usage_pieces(context)])


# -- roff ------------------------------------------------------------------------------------------------


def roff(command: click.Command, aliases: Sequence[str] = ()) -> str:
    """The manual page of a command, section 1."""
    name = str(command.name)
    lines = [f'.TH "{name.upper()}" "1" "" "wms {VERSION}" "Workload Management System"',
             ".SH NAME", f"{_escaped(', '.join((name, *aliases)))} \\- {_escaped(_first_sentence(command))}",
             ".SH SYNOPSIS", f".B {_escaped(usage(command))}",
             ".SH DESCRIPTION", *(line for part in _paragraphs(command) for line in (_escaped(part), ".PP")),
             "Long options may also be written with a single dash, before or after the arguments.",
             ".SH OPTIONS", *_entries(rows(command)),
             ".SH EXIT STATUS", *_entries(EXIT_STATUS),
             ".SH ENVIRONMENT", *_entries(environment(name))]
    return "\n".join(lines) + "\n"


def _paragraphs(command: click.Command) -> list[str]:
    return inspect.cleandoc(command.help or "").split("\n\n")


def _entries(table: Sequence[tuple[str, str]]) -> list[str]:
    return [line for term, text in table for line in (".TP", f".B {_escaped(term)}", _escaped(text))]


def _escaped(text: str) -> str:
    """Text that roff prints as it is."""
    plain = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(f"\\&{line}" if line.startswith((".", "'")) else line for line in plain.splitlines())


def _first_sentence(command: click.Command) -> str:
    words = (command.help or "").partition(".")[0]
    return words[:1].lower() + words[1:]


# -- Markdown --------------------------------------------------------------------------------------------


def markdown(found: Mapping[str, click.Command]) -> str:
    """The reference of all commands as one page."""
    parts = ["# Commands\n\nGenerated from the commands; every one also has a manual page.\n"]
    parts += [_section(command, PROGRAMS[module]) for module, command in found.items()]
    parts += ["## Exit status\n\n" + _table(("status", "meaning"), EXIT_STATUS),
              "## Environment\n\n" + _table(("variable", "meaning"), (*ENVIRONMENT, *LB_ENVIRONMENT))]
    return "\n".join(parts)


def _section(command: click.Command, names: Sequence[str]) -> str:
    also = ", ".join(f"`{name}`" for name in names if name != command.name)
    about = "\n\n".join(_paragraphs(command))
    return (f"## {command.name}\n\n{about}\n\n    {usage(command)}\n\nAlso installed as {also}.\n\n"
            + _table(("option", "meaning"), rows(command)))


def _table(head: tuple[str, str], table: Sequence[tuple[str, str]]) -> str:
    lines = [f"| {head[0]} | {head[1]} |", "|---|---|"]
    lines += [f"| `{term}` | {text} |".replace("\n", " ") for term, text in table]
    return "\n".join(lines) + "\n"


# -- files -----------------------------------------------------------------------------------------------


def write(directory: Path) -> list[Path]:
    """Write `man1/*.1`, with a page for each alias, and `commands.md`; the paths written."""
    pages = directory / "man1"
    pages.mkdir(parents=True, exist_ok=True)
    found = commands()
    texts = {directory / "commands.md": markdown(found)}
    for module, (name, *aliases) in PROGRAMS.items():
        texts[pages / f"{name}.1"] = roff(found[module], aliases)
        texts |= {pages / f"{alias}.1": f".so man1/{name}.1\n" for alias in aliases}
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8")
    return list(texts)


if __name__ == "__main__":
    for written in write(Path(sys.argv[1])):
        print(written)
