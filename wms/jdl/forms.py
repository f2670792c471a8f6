"""The forms a value of a JDL attribute may have: its kind, checks of its content, and what is said of a wrong one.

Which attribute has which form is in the table of attributes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wms.jdl.values import Value


class Check(NamedTuple):
    """`right` tells what a value must be; `wrong` what is wrong with one of the right kind, or None."""

    right: str
    wrong: Callable[[Any], str | None]


MISSING: Final = "Jdl mandatory attribute is missing"


def wrong_value(what: str) -> str:
    return f"wrong value caught for attribute ({what})"


def wrong_format(form: str) -> str:
    return f"wrong format caught for attribute. The right format is: '{form}'"


def at_least(least: int, message: str = "") -> Check:
    return Check(f"at least {least}",
                 lambda value: None if value >= least else message or wrong_value(f"must be at least {least}"))


def one_of(*names: str) -> Check:
    return known_as(wrong_value(f"{{}}; known: {', '.join(names)}"), *names)


def known_as(message: str, *names: str) -> Check:
    """`message` has `{}` where the value goes."""
    known = {name.lower() for name in names}
    return Check(" or ".join(names), lambda value: None if value.lower() in known else message.replace("{}", value))


def matching(expression: str, form: str) -> Check:
    pattern = re.compile(expression)

    def wrong(value: Any) -> str | None:
        texts = value if isinstance(value, list) else [value]
        return None if all(pattern.fullmatch(text) for text in texts) else wrong_format(form)

    return Check(form, wrong)


def items_of(kind: type, right: str) -> Check:
    return Check(right, lambda value: None if all(type(item) is kind for item in value) else wrong_value(right))


def _wrong_steps(value: Any) -> str | None:
    if isinstance(value, list):
        return LABELS.wrong(value) if value else wrong_value(LABELS.right)
    return POSITIVE.wrong(value)


POSITIVE: Final = at_least(1, "value must be greater than 0")
NOT_ZERO: Final = Check("not 0", lambda value: None if value else (
    "JDL Attribute ParameterStep must be different from zero, division by zero not allowed"))
INTEGERS: Final = items_of(int, "a list of integers")
STRINGS: Final = items_of(str, "a list of strings")
LABELS: Final = items_of(str, "a list of labels")
STEPS: Final = Check("greater than 0, or labels", _wrong_steps)
HOST: Final = matching(r"[A-Za-z0-9.-]+(:\d{1,5})?|\[[0-9a-fA-F:]+\](:\d{1,5})?|", "<host>[:<port>]")
URI: Final = matching(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s\x00-\x1f]+", "<protocol>://<address>")
IMAGE: Final = matching(r"(docker|oras|library)://[A-Za-z0-9][A-Za-z0-9._:/@+-]*|(?!-)(?:(?!://)[^\x00-\x1f\x7f])+",
                        "<path> or docker://<image>")
DATA: Final = matching(r"(lfn|guid|si-lfn|si-guid|lds|query):[^\x00-\x1f]+", "lfn:<name> or guid:<id>")


# -- kinds -----------------------------------------------------------------------------------------------


def wrong_type(kind: str, value: Value) -> str | None:
    """What is wrong with the type of a value, or None."""
    if _OF_KIND[kind](value):
        return None
    if isinstance(value, list) and kind in ("s", "i", "d", "b", "e"):
        return "the attribute cannot be of list type"
    return f"wrong type caught for attribute ({KINDS[kind]} expected)"


KINDS: Final[dict[str, str]] = {
    "s": "string", "S": "string or list of strings", "i": "integer", "d": "number", "b": "boolean",
    "e": "expression", "ad": "record", "L": "list", "A": "record or list of records",
    "N": "integer or list", "*": "anything",
}
_OF_KIND: Final[dict[str, Callable[[Value], bool]]] = {
    "s": lambda value: isinstance(value, str),
    "S": lambda value: isinstance(value, str) or _all(value, str),
    "i": lambda value: type(value) is int,
    "d": lambda value: type(value) in (int, float),
    "b": lambda value: isinstance(value, bool),
    "e": lambda value: not isinstance(value, str | list | dict),
    "ad": lambda value: isinstance(value, dict),
    "L": lambda value: isinstance(value, list),
    "A": lambda value: isinstance(value, dict) or _all(value, dict),
    "N": lambda value: type(value) is int or isinstance(value, list),
    "*": lambda value: True,
}


def _all(value: Value, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) for item in value)
