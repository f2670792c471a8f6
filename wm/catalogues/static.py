"""A catalogue in a file of the site: YAML, logical names to the storage URLs of their replicas. Pure.

    lfn:/grid/atlas/run1.dat: [srm://se1.example.org/data/run1.dat, se2.example.org]
    guid:135b7b23-4a6a-87e7: {urls: [srm://se1.example.org/data/x], size: 1000000}
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from wm.catalogues.catalogue import Found
from wms.errors import ConfigError

MAX_SHOWN = 100
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, file: str = "<catalogue>") -> Mapping[str, Found]:
    """The entries of the file; ConfigError names what is wrong with it."""
    try:
        tree = yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{file}: not YAML: {' '.join(str(error).split())}") from None
    problems = list(_problems(tree))[:MAX_SHOWN]
    if problems:
        raise ConfigError("\n".join(f"{file}: {problem}" for problem in problems), problems=problems)
    return {name: _found(value) for name, value in (tree or {}).items()}


def _problems(tree: Any) -> Iterator[str]:
    if not isinstance(tree, dict | None):
        yield "must be a mapping of logical names to lists of storage URLs"
        return
    for name, value in (tree or {}).items():
        parts = value if isinstance(value, dict) else {"urls": value}
        size = parts.get("size", 0)
        if not isinstance(name, str) or not _texts(parts.get("urls")) or parts.keys() - {"urls", "size"}:
            yield f"{str(name)[:80]}: must be a list of storage URLs, or {{urls: [...], size: BYTES}}"
        elif type(size) is not int or size < 0:
            yield f"{name[:80]}: size must be a number of bytes"


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _found(value: Any) -> Found:
    if isinstance(value, dict):
        return Found(tuple(value["urls"]), value.get("size", -1))
    return Found(tuple(value))
