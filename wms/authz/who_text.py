"""The texts that say who is meant: conditions on callers, and lists of who is banned. All problems are told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from wms.authz.nodes import Reader, is_null, line_of
from wms.authz.patterns import ROLE
from wms.authz.policy import CONDITIONS, Who
from wms.identity import CERTIFICATE, TOKEN

EVERYBODY = "everybody"
_COMMENT = re.compile(r"(?:^|\s)#.*")
_DN = re.compile(r"/[A-Za-z0-9.-]+=")
_ROLE = re.compile(r"/role=", re.IGNORECASE)


def parse_bans(text: str, origin: str = "ban list") -> tuple[Who, ...]:
    """One DN, FQAN or ISSUER#SUBJECT a line; raises ConfigError as `parse_policy`."""
    reader, found = Reader(), list[Who]()
    for number, content in enumerate(text.splitlines(), 1):
        quoted, bare = content.strip().startswith('"'), _COMMENT.sub("", content).strip()
        entry = content.strip()[1:].partition('"')[0] if quoted else bare
        if not entry and not quoted:
            continue
        conditions = _banned(entry)
        if not conditions:
            reader.wrong(number, f"{entry[:200]} is no DN, FQAN or ISSUER#SUBJECT")
        found.append(Who(tuple((key, (CONDITIONS[key].read(value),)) for key, value in conditions.items()),
                         f"{origin}:{number}"))
    reader.check(origin)
    return tuple(found)


def _banned(entry: str) -> dict[str, str]:
    issuer, hash, subject = entry.removeprefix("sub:").partition("#")
    if hash and subject and issuer.startswith("https://"):
        return {"issuer": issuer, "subject": subject}
    if _DN.match(entry):
        return {"dn": entry}
    return {"fqan": entry} if entry.startswith("/") and not _fqan_problem(entry) else {}


def dn_problem(value: str) -> str:
    known = value.startswith(("/", "sub:", "*"))
    return "" if known else f"{value} is no DN: it begins with / (or sub:, for the name of a token)"


def _fqan_problem(value: str) -> str:
    if not value.startswith("/") or _DN.match(value):
        return f"{value} is no FQAN: /vo, /vo/group, /vo/Role=x"
    if (found := _ROLE.search(value)) and found[0] != ROLE:
        return f"{value}: it is spelt {ROLE.strip('/')}"
    return ""


def _kind_problem(value: str) -> str:
    return "" if value in (CERTIFICATE, TOKEN) else f"kind is {CERTIFICATE} or {TOKEN}, not {value}"


_PROBLEMS: Mapping[str, Callable[[str], str]] = {
    "dn": dn_problem, "ca": dn_problem, "fqan": _fqan_problem, "kind": _kind_problem,
    "group": lambda value: "" if value.startswith("/") else f"{value} is no group: it begins with /",
    "issuer": lambda value: "" if value.startswith("https://") else f"{value} is no issuer: it begins with https://",
}


class WhoReader(Reader):
    """Reads conditions, and the texts they are made of."""

    def who(self, node: yaml.Node) -> Who:
        if isinstance(node, yaml.ScalarNode) and node.value == EVERYBODY:
            return Who()
        return Who(self.conditions(node))

    def conditions(self, node: yaml.Node) -> tuple[tuple[str, tuple[Any, ...]], ...]:
        """At least one."""
        found: dict[str, tuple[Any, ...]] = {}
        problems = len(self.problems)
        for key, value in self.pairs(node, f"conditions ({', '.join(CONDITIONS)})"):
            if key.value not in CONDITIONS:
                self.unknown(key, "condition", CONDITIONS)
                continue
            texts = [(item, text) for item in self.each(value) if (text := self.text(item, key.value))]
            for item, text in texts:
                self._judge(key.value, text, item)
            if not self.each(value):
                self.wrong(line_of(value), f"{key.value} names nobody")
            found[key.value] = tuple(CONDITIONS[key.value].read(text) for _, text in texts)
        if not found and problems == len(self.problems):
            self.wrong(line_of(node), f"who is meant? Everybody is written {EVERYBODY}")
        if "group" in found and not {"issuer", "vo"} & found.keys():
            self.wrong(line_of(node), "group needs issuer or vo beside it: any issuer can claim any group")
        return tuple(found.items())

    def _judge(self, key: str, text: str, node: yaml.Node) -> None:
        if key in _PROBLEMS and text != "*" and (problem := _PROBLEMS[key](text)):
            self.wrong(line_of(node), problem)

    def each(self, node: yaml.Node) -> list[yaml.Node]:
        """A list, or one alone."""
        return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]

    def text(self, node: yaml.Node, what: str) -> str:
        """"" after a problem."""
        if isinstance(node, yaml.ScalarNode) and not is_null(node) and node.value:
            return str(node.value)
        self.wrong(line_of(node), f"{what} must be a text")
        return ""
