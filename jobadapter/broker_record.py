"""The broker information of a match as values: what the parts of the job adapter that look for data read it with.

Pure. Not here: who writes it (the Workload Manager), nor the command with which a payload asks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wms.errors import JdlError
from wms.jdl.ast import Ad
from wms.jdl.evaluate import evaluate
from wms.jdl.parser import parse
from wms.jdl.values import prepare

__all__ = ["read", "record", "records"]


def read(broker_info: str) -> Mapping[str, Any]:
    """The record by lower-case names; empty if there is none."""
    try:
        ad = parse(broker_info) if broker_info else Ad()
    except JdlError:
        return {}
    return prepare({name: evaluate(node, ad) for name, node in ad.attributes})


def record(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def records(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []
