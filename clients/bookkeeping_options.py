"""Options that the lb-* commands share. Only click is loaded here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

Decorator = Callable[[Any], Any]
UNUSED = "Taken and not needed: there is one way to the bookkeeping."

server_option = click.option("--server", "-m", default="", metavar="HOST[:PORT]",
                             help="LB server. Default: that of the job; GLITE_WMS_QUERY_SERVER; WMS_LB; as configured.")


def all_of(*options: Decorator) -> Decorator:
    """One decorator of several, which appear in this order."""
    def add(function: Any) -> Any:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def unused(*names: str, value: str = "") -> Decorator:
    """An option of the field that says how to reach a proxy on the same host; `value` is its metavar."""
    return click.option(*names, is_flag=not value, metavar=value or None, expose_value=False, help=UNUSED)
