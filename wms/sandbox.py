"""Rules for the names of sandbox files, shared by client, server and wrapper. Pure: nothing is opened."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from wms.errors import SandboxPathRefused

MAX_NAME = 255


def is_remote(entry: str) -> bool:
    """Does this sandbox entry name a file elsewhere (any scheme but file)?"""
    scheme = urlsplit(entry).scheme if "://" in entry else ""
    return scheme not in ("", "file")


def base_name(entry: str) -> str:
    """The name under which a sandbox entry lands in the job's flat directory."""
    return entry.removeprefix("file://").rsplit("/", 1)[-1]


def check_name(name: str) -> str:
    """The name itself if it can be a file in a flat directory; raises SandboxPathRefused."""
    if not name or name in (".", "..") or "/" in name:
        raise SandboxPathRefused(f"'{name[:80]}' is not the name of a file.", value=name[:MAX_NAME],
                                 hint="All sandbox files share one flat directory: give a plain file name.")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_NAME or not name.isprintable():
        raise SandboxPathRefused(f"The file name {name[:80]!r} is too long or has unprintable characters.",
                                 value=name[:MAX_NAME])
    return name


def repeated(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, each once, in order."""
    seen: set[str] = set()
    twice: dict[str, None] = {}
    for name in names:
        if name in seen:
            twice[name] = None
        seen.add(name)
    return list(twice)
