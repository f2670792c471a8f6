"""docs/reference/errors.md: every error a person can meet, from the classes of the error tree."""

from __future__ import annotations

import re
from importlib import import_module

from docs.markdown import code, page, table
from wms.errors import RemoteError, Unavailable, WmsError, every_error

MODULES = ("wms.errors", "wms.httpd", "wms.spool", "clients.errors", "clients.site", "clients.commands.logevent",
           "clients.token_issuer")
"""Where public error classes are; a test finds any that is elsewhere."""
INTRODUCTION = """
A service answers with `status` and the JSON object `{code, message, hint, details}`. A command prints

    **** Error: CODE ****
    message
    hint

on standard error and ends with `exit`; with `--json` it prints `{"result": "failure", "error": {...}}` on standard
output instead. A repetition of the same call may succeed only where *again* says yes.
"""


def text() -> str:
    rows = [(code(one.code), _words(one), str(one.status), str(one.exit),
             "yes" if issubclass(one, Unavailable) else "") for one in _errors()]
    return page("Errors", "wms.errors", INTRODUCTION, table(("code", "what", "status", "exit", "again"), rows))


def _errors() -> list[type[WmsError]]:
    for module in MODULES:
        import_module(module)
    return [one for one in every_error() if one.__module__ in MODULES and one is not RemoteError]


def _words(one: type[WmsError]) -> str:
    """The class's name as words, and its own sentence if it has one."""
    name = " ".join(re.findall(r"[A-Z][a-z]*", one.__name__)).lower()
    own = " ".join((one.__dict__.get("__doc__") or "").split())
    return f"{name}: {own}" if own else name
