"""Commands with subcommands (wms, wmsd) as rows for the reference and as manual pages. Pure.

The commands of the job family have `clients.manpage`. Defaults that depend on the machine are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import click

from wms.version import VERSION


class Entry(NamedTuple):
    """One (sub)command: how it is called, what it does, its options as (how written, what it does)."""

    usage: str
    about: str
    options: tuple[tuple[str, str], ...]


def entries(name: str, command: click.Command) -> Iterator[Entry]:
    """The command and all below it, in order of their names."""
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    yield Entry(usage, " ".join((command.help or "").split()), tuple(_options(command, context)))
    if isinstance(command, click.Group):
        for inner in sorted(command.commands):
            yield from entries(f"{name} {inner}", command.commands[inner])


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    for option in command.get_params(context):
        record = option.get_help_record(context)
        if isinstance(option, click.Option) and record is not None and "--help" not in option.opts:
            yield record[0], " ".join(filter(None, [option.help, _default(option), _variable(option)]))


def _default(option: click.Option) -> str:
    return f"Default: {option.default}." if isinstance(option.default, str) and option.default else ""


def _variable(option: click.Option) -> str:
    return f"Variable: {option.envvar}." if isinstance(option.envvar, str) else ""


def manual(name: str, section: int, command: click.Command, files: Sequence[tuple[str, str]],
           environment: Sequence[tuple[str, str]] = ()) -> str:
    """The manual page; `files` are (path, what it is), `environment` (variable, its meaning)."""
    head, *rest = entries(name, command)
    lines = [f'.TH "{name.upper()}" "{section}" "" "wms {VERSION}" "Workload Management System"',
             ".SH NAME", f"{_plain(name)} \\- {_plain(head.about.partition('.')[0].lower())}",
             ".SH SYNOPSIS", *(f".B {_plain(one.usage)}\n.br" for one in rest),
             ".SH DESCRIPTION", _plain(head.about), *_terms(head.options), ".SH COMMANDS"]
    for one in rest:
        lines += [f".SS {_plain(one.usage)}", _plain(one.about), *_terms(one.options)]
    for title, rows in (("FILES", files), ("ENVIRONMENT", environment)):
        lines += [f".SH {title}", *_terms(rows)] if rows else []
    return "\n".join(lines) + "\n"


def _terms(rows: Sequence[tuple[str, str]]) -> list[str]:
    return [line for term, text in rows for line in (".TP", f".B {_plain(term)}", _plain(text))]


def _plain(text: str) -> str:
    """Text that roff prints as it is."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
