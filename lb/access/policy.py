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
from wms.authz.nodes import Reader, line_of

RESOURCE = "LB"
_BLOCKS = re.compile(r"\s*resource\b")
_TOKEN = re.compile(r'"([^"\n]*)"|([{}=])|([A-Za-z_]\w*)|(\S)')
_PATTERN = re.compile(r"\.[*+]|^\^|\$$|\[[^\]]*\]|\(.*\|.*\)")  # what only a regular expression would hold


def parse_policy(text: str, origin: str = "policy") -> Rules:
    """The rules of a policy file. Raises ConfigError with a line `origin:number: problem` for each problem."""
    bare = re.sub(r"^\s*(#.*)?$", "", text, flags=re.MULTILINE).strip()
    reader = _Blocks() if _BLOCKS.match(bare) else _Yaml()
    reader.read(text)
    reader.check(origin)
    return {action: tuple(rules) for action, rules in reader.rules.items()}


class _Reader(Reader):
    """Rules so far."""

    def __init__(self) -> None:
        super().__init__()
        self.rules: dict[Action, list[Rule]] = {}

    def action(self, name: str, at: int) -> list[Rule]:
        """Where the rules of an action go; those of one that does not exist are only checked."""
        if name not in list(Action):
            self.wrong(at, f"there is no action {name}")
            return []
        return self.rules.setdefault(Action(name), [])

    def value(self, key: str, value: str, at: int) -> str:
        if key not in ("subject", "fqan"):
            self.wrong(at, f"a rule has subject and fqan, not {key}")
        elif not value:
            self.wrong(at, f"{key} is empty")
        elif value != ANYBODY and _PATTERN.search(value):
            self.wrong(at, f"{key} {value}: patterns are not understood, only {ANYBODY} for anybody")
        return value


class _Yaml(_Reader):
    def read(self, text: str) -> None:
        root = self.top(text)
        for key, rules in self.pairs(root, "actions and their rules") if root else ():
            found = self.action(key.value, line_of(key))
            found.extend(self._rule(rule) for rule in self.items(rules, "rules"))

    def _rule(self, node: yaml.Node) -> Rule:
        values: dict[str, tuple[str, ...]] = {}
        for key, given in self.pairs(node, "subject and fqan"):
            texts = self.items(given, "texts") if isinstance(given, yaml.SequenceNode) else [given]
            values[key.value] = tuple(self._text(key.value, item) for item in texts)
        return Rule(values.get("subject", ()), values.get("fqan", ()))

    def _text(self, key: str, node: yaml.Node) -> str:
        if isinstance(node, yaml.ScalarNode):
            return self.value(key, node.value, line_of(node))
        self.wrong(line_of(node), f"{key} must be a text")
        return ""


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
