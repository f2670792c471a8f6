"""docs/reference/settings.md: every key of the configuration, from the structs of wms.config."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import msgspec

from docs.markdown import code, page, table
from wms.ce.local.settings import LocalSettings, QueuePolicy
from wms.config import ENVIRONMENT_PREFIX, Settings, every_setting

HEAD = ("key", "type", "default", "meaning")
INTRODUCTION = f"""
One YAML file holds all settings: `--config FILE`, else the file that `WMS_CONFIG` names, else
`/etc/wms/wms.yaml` if it exists, else the defaults. A variable `{ENVIRONMENT_PREFIX}KEY`, with the dot of the
key as an underscore (`{ENVIRONMENT_PREFIX}NS_LISTEN`), overrides the file; a text stands for itself, another
value is YAML. Unknown keys and wrong values are refused, all of them in one message: `wmsd config check`.
`wmsd config template` prints a file with every key and its default, `wmsd config show` the settings in force. Times
are seconds.
"""
CE = """
Each key below `ce` names a computing element; `backend` says of which kind it is. The other keys belong to
that kind. `spool` and `host` need not be given: they are `STATE_DIR/ce/NAME` and the key `host` above.
"""

LOCAL = {
    "spool": "directory of its files; several processes may share it", "slots": "jobs that run at a time",
    "host": "host name in the identifiers of its CEs", "queues": "its queues by name; each is a CE",
    "environment": "variables a wrapper inherits", "tags": "GlueHostApplicationSoftwareRunTimeEnvironment",
    "access_rules": "GlueCEAccessControlBaseRule; empty: open to all",
    "grace_s": "between TERM and KILL of a cancelled payload",
    "poll_s": "how often limits and lost runners are looked for",
    "courier": "a process of its own carries the calls of wrappers, which saves each of them a curl",
    "backend": "kind of computing element",
    "max_wall_s": "wall time limit of a job, 0 for none", "max_cpu_s": "CPU time limit of a job, 0 for none"}
"""Meanings of the settings of a local CE; a setting without one stops the generation."""


def text() -> str:
    sections = [_section(head, [row[:1] + row[1:] for row in rows])
                for head, rows in groupby(every_setting(), lambda row: row[0].rpartition(".")[0])]
    return page("Settings", "wms.config", INTRODUCTION, *sections, "## ce, backend `local`", CE,
                table(HEAD, _fields(LocalSettings)), "Each queue of `queues` has:", table(HEAD, _fields(QueuePolicy)))


def _section(head: str, rows: list[tuple[str, str, object, str]]) -> str:
    return f"## {head or 'top level'}\n\n{_about(head)}\n\n" + table(
        HEAD, [(code(key), kind, _value(default), meaning) for key, kind, default, meaning in rows])


def _about(head: str) -> str:
    kinds = {item.name: item.type for item in msgspec.structs.fields(Settings)}
    return (kinds[head] if head else Settings).__doc__ or ""


def _fields(struct: type[msgspec.Struct]) -> Iterator[tuple[str, str, str, str]]:
    for item in msgspec.structs.fields(struct):
        missing = item.default is msgspec.NODEFAULT and item.default_factory is msgspec.NODEFAULT
        factory = item.default_factory
        default = item.default if factory is msgspec.NODEFAULT else factory()
        kind = getattr(item.type, "__name__", str(item.type))
        yield code(item.name), kind, "" if missing else _value(default), LOCAL[item.name]


def _value(default: object) -> str:
    return code(msgspec.json.encode(default).decode())
