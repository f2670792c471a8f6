"""What is generated is what is committed, and what is hand-written names only what exists."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
import sqlalchemy as sa

from clients import manpage
from docs import commands, errors
from docs.__main__ import texts, write
from wms import queue
from wms.config import every_setting
from wms.daemon import ORDER
from wms.errors import every_error
from wms.operations import OPERATIONS
from wms.version import VERSION

ROOT = Path(__file__).parent.parent.parent.parent
DOCS = ROOT / "docs"
PACKAGES = ("wms", "ns", "wm", "jobadapter", "logmonitor", "lb", "proxyrenewal", "clients")
PROGRAMS = {str(command.name): command for command in manpage.commands().values()} | {
    name: command for name, (_, command, _) in commands.GROUPS.items()}
KEYS = {key for key, *_ in every_setting()} | set(OPERATIONS)
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("adr/*.md"), ROOT / "ARCHITECTURE.md"])
NAMED = re.compile(f"`((?:{'|'.join(PACKAGES)})(?:[./][a-zA-Z_0-9]+)+/?)`")


def generated(directory: Path) -> dict[str, bytes]:
    """Files of the two generated folders by their path."""
    return {str(path.relative_to(directory)): path.read_bytes()
            for folder in ("reference", "man") for path in sorted((directory / folder).rglob("*")) if path.is_file()}


def test_what_is_committed_is_what_the_tables_say(tmp_path: Path) -> None:
    write(tmp_path)
    ours, fresh = generated(DOCS), generated(tmp_path)
    stale = sorted(name for name in ours.keys() | fresh.keys() if ours.get(name) != fresh.get(name))
    assert not stale, f"run: make docs  (stale below docs/: {', '.join(stale)})"


def test_generation_is_repeatable() -> None:
    assert texts() == texts()


@pytest.mark.parametrize("name", sorted(texts()))
def test_a_generated_text_ends_as_a_file_should(name: str) -> None:
    text = texts()[name]
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def error_classes() -> Iterator[tuple[str, str]]:
    """(module, class) of every class in the packages that derives from a class of the error tree."""
    names = {one.__name__ for one in every_error()}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.ClassDef) and names & {getattr(base, "id", "") for base in node.bases}:
                    yield module, node.name


def test_every_public_error_is_in_the_reference() -> None:
    outside = [(module, name) for module, name in error_classes()
               if module not in errors.MODULES and not name.startswith("_")]
    assert not outside, "add the module to docs.errors.MODULES"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_modules_that_pages_name_exist(page: Path) -> None:
    """`package.module` and `path/file.py` in code marks are files of the repository (or settings, operations)."""
    named = set(NAMED.findall(page.read_text())) - KEYS
    assert sorted(name for name in named if not _exists(name)) == []


def printed_commands() -> Iterator[list[str]]:
    """The words of each of our commands in the code blocks of the guides."""
    for page in ("user.md", "admin.md"):
        for line in re.findall(r"^    (?:.*-- )?((?:job-[a-z-]+|wmsd?) .*)$", (DOCS / page).read_text(), re.MULTILINE):
            yield shlex.split(line, comments=True)


@pytest.mark.parametrize("words", list(printed_commands()), ids=" ".join)
def test_printed_commands_have_the_options_they_show(words: list[str]) -> None:
    command, rest = PROGRAMS[words[0]], words[1:]
    options: set[str] = set()
    while True:
        options |= {name for option in command.params for name in option.opts}
        inner = next((word for word in rest if isinstance(command, click.Group) and word in command.commands), None)
        if inner is None:
            break
        command, rest = command.commands[inner], rest[rest.index(inner) + 1:]  # type: ignore[attr-defined]
    shown = words[: words.index("||")] if "||" in words else words
    known = options | ({name.removeprefix("-") for name in options} if "proxy" in words else set())  # as grid-proxy-*
    assert [word for word in shown if word.startswith("-") and word != "--" and word not in known] == []
    assert not isinstance(command, click.Group)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_error_codes_that_pages_name_exist(page: Path) -> None:
    errors.text()
    codes = {one.code for one in every_error()}
    assert sorted(set(re.findall(r"`((?:UI|NS|LB)_[A-Z_]+)`", page.read_text())) - codes) == []


def test_the_change_log_begins_with_this_version() -> None:
    releases = re.findall(r"^## (\S+) \(\d{4}-\d\d-\d\d\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert releases[0] == VERSION


def test_every_news_fragment_has_a_type_that_is_gathered() -> None:
    settings = tomllib.loads((ROOT / "towncrier.toml").read_text())["tool"]["towncrier"]
    types = {kind["directory"] for kind in settings["type"]}
    fragments = [path.name for path in (ROOT / "changes").glob("*.md") if path.name != "README.md"]
    assert [name for name in fragments if name.split(".")[-2] not in types] == []


def test_the_architecture_names_every_table_under_its_daemon() -> None:
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("## Tables")[2].partition("##")[0]
    told = {cells[1].strip(): set(re.findall(r"[a-z]+_[a-z]+|registrations|messages", cells[2]))
            for line in section.splitlines() if len(cells := line.split("|")) > 3}
    for name in ORDER:
        found = [f"{name}.{one}" for one in ("store", "tables") if find_spec(f"{name}.{one}")]
        modules = map(importlib.import_module, found)
        tables = [one for module in modules for one in vars(module).values() if isinstance(one, sa.Table)]
        assert told[name] == {table.name for table in tables}
    assert told["all"] == {queue.messages.name}


def _exists(name: str) -> bool:
    """A file or folder, one of etc, a module, or a name that a module's text mentions."""
    if (ROOT / name).exists() or any((ROOT / "etc").rglob(name)):
        return True
    module, _, attribute = name.rpartition(".")
    places = [ROOT / (dotted.replace(".", "/") + end) for dotted in (name, module) for end in (".py", "/__init__.py")]
    return any(place.exists() for place in places[:2]) or any(
        place.exists() and re.search(rf"\b{attribute}\b", place.read_text()) is not None for place in places[2:])
