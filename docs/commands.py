"""docs/reference/commands.md and the manual pages, from the click commands themselves."""

from __future__ import annotations

import click

from clients import manpage
from clients.commands import PROGRAMS, lb_notify, wms
from docs.groups import Entry, entries, manual
from docs.markdown import GENERATED, code, table
from wms import daemon

GROUPS: dict[str, tuple[int, click.Command, tuple[tuple[str, str], ...]]] = {
    "wms": (1, wms.cli, (
        ("DIR/wms.yaml", "Configuration of the suite."),
        ("DIR/log/wmsd.log", "Its log, one JSON object a line."),
        ("DIR/user/proxy.pem", "Proxy of the suite's user."))),
    "lb-notify": (1, lb_notify.command, ()),
    "wmsd": (8, daemon.cli, (
        ("/etc/wms/wms.yaml", "The configuration, when neither --config nor WMS_CONFIG names one."),
        ("STATE_DIR/run/NAME.json", "Heartbeat of a process, written every two seconds or less."))),
}
"""Name: section of the manual, the command, its files."""


def text() -> str:
    job = manpage.markdown(_plain()).replace(
        "Generated from the commands; every one also has a manual page.",
        GENERATED.format(source="`clients.commands` and `wms.daemon`") + " Every command has a manual page.")
    parts = [_section(entry, top=not number) for name, (_, command, _) in GROUPS.items()
             for number, entry in enumerate(entries(name, command))]
    return "\n".join([job, *parts])


def _plain() -> dict[str, click.Command]:
    """The commands without commands of their own."""
    return {module: one for module, one in manpage.commands().items() if not isinstance(one, click.Group)}


def _section(entry: Entry, *, top: bool) -> str:
    name = entry.usage.partition(" [")[0]
    options = table(("option", "meaning"), [(code(term), meaning) for term, meaning in entry.options])
    return (f"{'##' if top else '###'} {name}\n\n{entry.about}\n\n    {entry.usage}\n"
            + (f"\n{options}" if entry.options else ""))


def manuals() -> dict[str, str]:
    """Manual pages by their path below the directory of manuals; an alias is a page that names its command."""
    commands = manpage.commands()
    pages: dict[str, str] = {}
    for module, (name, *aliases) in PROGRAMS.items():
        pages[f"man1/{name}.1"] = manpage.roff(commands[module], aliases)
        pages |= {f"man1/{alias}.1": f".so man1/{name}.1\n" for alias in aliases}
    return pages | {f"man{section}/{name}.{section}": manual(
        name, section, command, files, manpage.environment(name) if name.startswith("lb-") else ())
                    for name, (section, command, files) in GROUPS.items()}
