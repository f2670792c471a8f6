"""The text of a policy, in YAML or in the blocks of the original, to rules. All its problems are told at once.

YAML maps an action to a list of rules, each with `subject` and `fqan`, a text or a list. What rules mean is
lb.access.rights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import yaml

from lb.access.rights import ANYBODY, Action, Rule, Rules
from wms.errors import ConfigError

RESOURCE = "LB"
_BLOCKS = re.compile(r"\s*resource\b")
_TOKEN = re.compile(r'"([^"\n]*)"|([{}=])|([A-Za-z_]\w*)|(\S)')
_PATTERN = re.compile(r"\.[*+]|^\^|\$$|\[[^\]]*\]|\(.*\|.*\)")  # what only a regular expression would hold


def parse_policy(text: str, origin: str = "policy") -> Rules:
    """The rules of a policy file. Raises ConfigError with a line `origin:number: problem` for each problem."""
    bare = re.sub(r"^\s*(#.*)?$", "", text, flags=re.MULTILINE).strip()
    reader = _Blocks() if _BLOCKS.match(bare) else _Yaml()
    reader.read(text)
    if reader.problems:
        problems = [f"{origin}:{line}: {problem}" for line, problem in sorted(reader.problems)]
        raise ConfigError("\n".join(problems), problems=problems)
    return {action: tuple(rules) for action, rules in reader.rules.items()}


class _Reader:
    """Rules and problems so far; lines count from 1."""

    def __init__(self) -> None:
        self.rules: dict[Action, list[Rule]] = {}
        self.problems: list[tuple[int, str]] = []

    def wrong(self, line: int, problem: str) -> None:
        self.problems.append((line, problem))

    def action(self, name: str, line: int) -> list[Rule]:
        """Where the rules of an action go; those of one that does not exist are only checked."""
        if name not in list(Action):
            self.wrong(line, f"there is no action {name}")
            return []
        return self.rules.setdefault(Action(name), [])

    def value(self, key: str, value: str, line: int) -> str:
        if key not in ("subject", "fqan"):
            self.wrong(line, f"a rule has subject and fqan, not {key}")
        elif not value:
            self.wrong(line, f"{key} is empty")
        elif value != ANYBODY and _PATTERN.search(value):
            self.wrong(line, f"{key} {value}: patterns are not understood, only {ANYBODY} for anybody")
        return value


class _Yaml(_Reader):
    def read(self, text: str) -> None:
        try:
            top = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            self.wrong(mark.line + 1 if mark else 1, f"not YAML: {error.problem}")
            return
        except yaml.YAMLError as error:
            self.wrong(1, f"not YAML: {error}")
            return
        for key, rules in self._pairs(top, "actions and their rules") if top and not _is_null(top) else ():
            found = self.action(key.value, _line(key))
            found.extend(self._rule(rule) for rule in self._items(rules))

    def _rule(self, node: yaml.Node) -> Rule:
        values: dict[str, tuple[str, ...]] = {}
        for key, given in self._pairs(node, "subject and fqan"):
            texts = self._items(given) if isinstance(given, yaml.SequenceNode) else [given]
            values[key.value] = tuple(self._text(key.value, item) for item in texts)
        return Rule(values.get("subject", ()), values.get("fqan", ()))

    def _text(self, key: str, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return self.value(key, node.value, _line(node))
        self.wrong(_line(node), f"{key} must be a text")
        return ""

    def _pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self.wrong(_line(node), f"expected {what}")
            return
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                self.wrong(_line(key), f"expected {what}, each once")
            else:
                seen.add(key.value)
                yield key, value

    def _items(self, node: yaml.Node) -> list[yaml.Node]:
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if not _is_null(node):
            self.wrong(_line(node), "expected a list of rules")
        return []


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


class _Word(NamedTuple):
    """A quoted text, a sign or a name, and its line."""

    kind: str
    text: str
    line: int


class _Blocks(_Reader):
    """resource "LB" { action "NAME" { rule permit { subject = "DN" fqan = "..." } } }"""

    def read(self, text: str) -> None:
        self.words = list(_words(text))
        self.at = 0
        self.open = False
        while self.at < len(self.words):
            try:
                self._part()
            except _Lost:
                self._skip()
        if self.open and not self.problems:
            self.wrong(self.words[-1].line, "the file ends inside a block")

    def _part(self) -> None:
        word = self._next()
        if word.text == "action" and self.open:
            self._action()
        elif word.text == "}" and self.open:
            self.at, self.open = self.at + 1, False
        else:
            self._resource()

    def _skip(self) -> None:
        """To the next word that is understood without what came before."""
        while self.at < len(self.words) and self.words[self.at].text not in ("action", "resource"):
            self.at += 1

    def _resource(self) -> None:
        self._take("name", "resource" if not self.open else "action", step=True)
        name = self._take("text")
        if name.text != RESOURCE:
            self.wrong(name.line, f'expected resource "{RESOURCE}", not "{name.text}"')
        self._take("sign", "{")
        self.open = True

    def _action(self) -> None:
        self.at += 1
        name = self._take("text")
        rules = self.action(name.text, name.line)
        for _ in self._block():
            self._take("name", "rule")
            self._take("name", "permit")
            rules.append(self._rule())

    def _rule(self) -> Rule:
        values: dict[str, list[str]] = {}
        for _ in self._block():
            key = self._take("name")
            self._take("sign", "=")
            value = self._take("text")
            values.setdefault(key.text, []).append(self.value(key.text, value.text, key.line))
        return Rule(tuple(values.get("subject", ())), tuple(values.get("fqan", ())))

    def _block(self) -> Iterator[None]:
        self._take("sign", "{")
        while self._next()[:2] != ("sign", "}"):
            yield
        self.at += 1

    def _take(self, kind: str, text: str = "", *, step: bool = False) -> _Word:
        """The next word, which must be this; with `step` it is left behind even if it is not."""
        word = self._next()
        fits = word.kind == kind and text in ("", word.text)
        self.at += fits or step
        if not fits:
            self.wrong(word.line, f"expected {text or 'a ' + kind}, found {word.text}")
            raise _Lost
        return word

    def _next(self) -> _Word:
        if self.at < len(self.words):
            return self.words[self.at]
        self.wrong(self.words[-1].line, "the file ends inside a block")
        raise _Lost


class _Lost(Exception):
    """What follows cannot be understood."""


def _words(text: str) -> Iterator[_Word]:
    for number, line in enumerate(text.splitlines(), 1):
        for found in _TOKEN.finditer(_uncommented(line)):
            kind = ("text", "sign", "name", "other")[(found.lastindex or 1) - 1]
            yield _Word(kind, found[found.lastindex or 1], number)


def _uncommented(line: str) -> str:
    """Without what follows a `#` outside quotes."""
    quoted = False
    for at, sign in enumerate(line):
        if sign == "#" and not quoted:
            return line[:at]
        quoted ^= sign == '"'
    return line
