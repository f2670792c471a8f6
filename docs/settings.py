"""docs/reference/settings.md: every key of the configuration, from the structs of wms.config."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

import msgspec

from docs.markdown import code, page, table
from wms.ce.limits import Common
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
Each key below `ce` names a computing element; `backend` says of which kind it is. Those of this table every CE has,
all others belong to its kind. `spool` and `host` need not be given: they are `STATE_DIR/ce/NAME` and the key `host`
above.
"""

COMMON = {
    "requests_per_minute": "most requests to the CE in any minute, of each process that asks it; a quarter is kept for "
                           "what changes something (submit, cancel, clean, renew), a quarter for what only looks; "
                           "0: no limit, else at least 4",
    "submissions_per_minute": "most jobs handed over in any minute, 0: no limit",
    "max_submitted": "most jobs of ours at the CE at once, 0: no limit",
    "breaker_failures": "after so many calls in a row without an answer the CE is left alone",
    "breaker_s": "for so long at first; then one call tries it, and each one in vain doubles this up to 15 minutes",
    "answer_s": "longest wait for the answer to one call",
    "observe_s": "period of asking about all jobs while something changes, 0: `logmonitor.poll_s`",
    "observe_most_s": "longest period while nothing changes, 0: `logmonitor.poll_most_s`"}
"""Meanings of the settings that every CE has."""

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
    return page("Settings", "wms.config", INTRODUCTION, *sections, "## ce, every backend", CE,
                table(HEAD, _fields(Common, COMMON)), "## ce, backend `local`",
                table(HEAD, _fields(LocalSettings)), "Each queue of `queues` has:", table(HEAD, _fields(QueuePolicy)))


def _section(head: str, rows: list[tuple[str, str, object, str]]) -> str:
    return f"## {head or 'top level'}\n\n{_about(head)}\n\n" + table(
        HEAD, [(code(key), kind, _value(default), meaning) for key, kind, default, meaning in rows])


def _about(head: str) -> str:
    kinds = {item.name: item.type for item in msgspec.structs.fields(Settings)}
    return (kinds[head] if head else Settings).__doc__ or ""


def _fields(struct: type[msgspec.Struct], meanings: Mapping[str, str] = LOCAL) -> Iterator[tuple[str, str, str, str]]:
    for item in msgspec.structs.fields(struct):
        missing = item.default is msgspec.NODEFAULT and item.default_factory is msgspec.NODEFAULT
        factory = item.default_factory
        default = item.default if factory is msgspec.NODEFAULT else factory()
        kind = getattr(item.type, "__name__", str(item.type))
        yield code(item.name), kind, "" if missing else _value(default), meanings[item.name]


def _value(default: object) -> str:
    return code(msgspec.json.encode(default).decode())
