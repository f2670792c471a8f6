"""Entries from the site's own YAML or JSON file of computing and storage elements.

Pure: text in, a purchase out, or one error with all problems. Not the watching of the file. Its shape:

    ces:
      - id: ce.example.org:8443/jobmanager-local-short
        backend: local-1                  # an instance of the site configuration
        queue: short                      # default: the end of the id
        attributes: {GlueCEPolicyMaxCPUTime: 720, GlueCEAccessControlBaseRule: ["VO:atlas"]}
    ses:
      - id: se.example.org
        attributes: {GlueSEName: disk}
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NoReturn

import msgspec
import yaml

from wm.supply.purchasers import CE_ID, SE_ID, Entry, Purchase, attribute_problems, queue_of, repeated, shown
from wms.errors import ConfigError

MAX_FILE = 16 * 1024 * 1024
MAX_ENTRIES = 20_000
MAX_NESTING = 16
MAX_SHOWN = 100
KEYS = {"ces": ("id", "backend", "queue", "attributes"), "ses": ("id", "attributes")}
IDS = {"ces": CE_ID, "ses": SE_ID}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(text: str, backends: Collection[str], file: str = "<static>") -> Purchase:
    """The entries of a file's `text`; `backends` are the instances a CE may name. Raises `ConfigError`."""
    tree = _loaded(text, file)
    problems = list(_problems(tree, backends))
    if problems:
        _raise(file, problems)
    return Purchase(tuple(_entry(item) for item in tree.get("ces") or ()),
                    tuple(Entry(item["id"], item.get("attributes") or {}) for item in tree.get("ses") or ()))


def _entry(item: dict[str, Any]) -> Entry:
    backend = item.get("backend", "")
    queue = item.get("queue", queue_of(item["id"]) if backend else "")
    return Entry(item["id"], item.get("attributes") or {}, backend, queue)


def _raise(file: str, problems: list[str]) -> NoReturn:
    shown = problems[:MAX_SHOWN]
    more = [f"and {len(problems) - MAX_SHOWN} more"] if len(problems) > MAX_SHOWN else []
    raise ConfigError("\n".join(f"{file}: {problem}" for problem in shown + more), problems=shown)


# -- reading ---------------------------------------------------------------------------------------------


def _loaded(text: str, file: str) -> Any:
    if len(text) > MAX_FILE:
        _raise(file, [f"{len(text)} characters, more than {MAX_FILE}"])
    tree = _json(text, file) if file.endswith(".json") else _yaml(text, file)
    return {} if tree is None else tree


def _json(text: str, file: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        _raise(file, [f"not JSON: {error}"])


def _yaml(text: str, file: str) -> Any:
    """The tree of a text without aliases and deep nesting, both of which can cost any amount of memory."""
    try:
        problems = _shape(text)
        tree = None if problems else yaml.load(text, Loader=_Loader)
    except (yaml.YAMLError, ValueError) as error:
        problems = [f"not YAML: {' '.join(str(error).split())}"]
    if problems:
        _raise(file, problems)
    return tree


def _shape(text: str) -> list[str]:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.AliasEvent):
            return ["aliases (*name) are not accepted"]
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_NESTING:
            return [f"nested deeper than {MAX_NESTING}"]
    return []


# -- checking --------------------------------------------------------------------------------------------


def _problems(tree: Any, backends: Collection[str]) -> Iterator[str]:
    if not isinstance(tree, dict):
        yield "must be a mapping with the keys ces and ses"
        return
    yield from (f"unknown key {shown(key)} (known: ces, ses)" for key in tree if key not in KEYS)
    for shelf in KEYS.keys() & tree.keys():
        yield from _shelf_problems(shelf, tree[shelf], backends)


def _shelf_problems(shelf: str, items: Any, backends: Collection[str]) -> Iterator[str]:
    items = [] if items is None else items
    if not isinstance(items, list) or len(items) > MAX_ENTRIES:
        yield f"{shelf}: must be a list of at most {MAX_ENTRIES} entries"
        return
    for number, item in enumerate(items, 1):
        place = f"{shelf} entry {number}"
        if isinstance(item, dict):
            named = f"{place} ({shown(item.get('id'))})"
            yield from (f"{named}: {problem}" for problem in _entry_problems(shelf, item, backends))
        else:
            yield f"{place}: must be a mapping"
    ids = [item["id"] for item in items if isinstance(item, dict) and isinstance(item.get("id"), str)]
    yield from (f"{shelf}: {id} is listed more than once" for id in repeated(ids))


def _text(item: dict[Any, Any], key: str) -> str:
    return value if isinstance(value := item.get(key), str) else ""


def _entry_problems(shelf: str, item: dict[Any, Any], backends: Collection[str]) -> Iterator[str]:
    known = KEYS[shelf]
    yield from (f"unknown key {shown(key)} (known: {', '.join(known)})" for key in item if key not in known)
    texts = [key for key in known if key != "attributes" and key in item]
    yield from (f"{key} must be text" for key in texts if not isinstance(item[key], str))
    if not IDS[shelf].fullmatch(_text(item, "id")):
        yield "id is not host:port/name" if shelf == "ces" else "id is not a host name"
    if (backend := _text(item, "backend")) and backend not in backends:
        yield f"no backend is called {shown(backend)} (known: {', '.join(sorted(backends)) or 'none'})"
    if "queue" in item and "backend" not in item:
        yield "a queue needs a backend"
    yield from attribute_problems({} if item.get("attributes") is None else item["attributes"])
