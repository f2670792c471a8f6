"""The catalogues of the configuration, and which of them are asked for whom. Pure.

Not their languages (static, dli, rucio) nor the asking (resolver).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from wm.matching.storage import host_of
from wms.errors import ConfigError

KINDS = {"static": ("file",), "dli": ("url",), "rucio": ("url",)}
"""What each kind cannot do without."""
TEXTS = ("kind", "file", "url", "token_file", "scope")
KNOWN = (*TEXTS, "vos")


class Found(NamedTuple):
    """Where one file is: storage URLs or SE names; its size in bytes, -1 unknown."""

    urls: tuple[str, ...] = ()
    size: int = -1


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A configured catalogue. `vos` empty: for all. `scope` is Rucio's for names without one."""

    name: str
    kind: str
    file: str = ""
    url: str = ""
    token_file: str = ""
    scope: str = ""
    vos: tuple[str, ...] = ()


def configured(settings: Mapping[str, Mapping[str, Any]]) -> tuple[Catalogue, ...]:
    """From `information.catalogues`, in its order; ConfigError names every problem."""
    problems = [f"information.catalogues.{name}: {problem}"
                for name, given in settings.items() for problem in _problems(given)]
    if problems:
        raise ConfigError("\n".join(problems), problems=problems)
    return tuple(Catalogue(name, **{**given, "vos": tuple(given.get("vos", ()))}) for name, given in settings.items())


def chosen(catalogues: tuple[Catalogue, ...], vo: str, endpoint: str) -> tuple[Catalogue, ...]:
    """Those that are asked for a VO: all, or only those at the host of the `endpoint` that the job names."""
    mine = tuple(one for one in catalogues if not one.vos or vo in one.vos)
    return tuple(one for one in mine if one.url and _host(one.url) == _host(endpoint)) if endpoint else mine


def nowhere(vo: str, endpoint: str) -> str:
    """Why nobody is asked."""
    if endpoint:
        return f"{endpoint[:200]} is not a data catalogue of this site for the VO {vo or '(none)'}"
    return f"this site has no data catalogue for the VO {vo or '(none)'}"


def _host(url: str) -> str:
    return host_of(url if "://" in url else url.partition("/")[0])


def _problems(given: Mapping[str, Any]) -> Iterator[str]:
    kind = given.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        yield f"kind must be one of {', '.join(KINDS)}"
        return
    yield from (f"unknown key {key!r} (known: {', '.join(KNOWN)})" for key in given if key not in KNOWN)
    yield from (f"{key} must be text" for key in TEXTS if not isinstance(given.get(key, ""), str))
    yield from (f"{key} is missing" for key in KINDS[kind] if not given.get(key))
    vos = given.get("vos", [])
    if not isinstance(vos, list) or not all(isinstance(vo, str) for vo in vos):
        yield "vos must be a list of names"
    if isinstance(url := given.get("url", ""), str) and url and not _is_url(url):
        yield "url must be http://HOST... or https://HOST..., without user, query and fragment"


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    return (parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
            and not parts.query and not parts.fragment and url.isascii() and url.isprintable() and " " not in url)
