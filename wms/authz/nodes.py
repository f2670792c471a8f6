"""YAML of a policy, node by node, so that every problem is told with its line. What keys mean is not known here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

import yaml

from wms.errors import ConfigError


class Reader:
    """Problems so far, as (line, sentence); lines count from 1."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def wrong(self, line: int, problem: str) -> None:
        self.problems.append((line, problem))

    def check(self, origin: str) -> None:
        """Raises ConfigError with a line `origin:number: problem` for each problem, if there is any."""
        if self.problems:
            problems = [f"{origin}:{line}: {problem}" for line, problem in sorted(self.problems)]
            raise ConfigError("\n".join(problems), problems=problems)

    def top(self, text: str) -> yaml.Node | None:
        """The root of a document; None when it is empty or not YAML."""
        try:
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            self.wrong(mark.line + 1 if mark else 1, f"not YAML: {error.problem}")
        except yaml.YAMLError as error:
            self.wrong(1, f"not YAML: {error}")
        except RecursionError:
            self.wrong(1, "not YAML: nested too deeply")
        else:
            return None if root is None or is_null(root) else root
        return None

    def pairs(self, node: yaml.Node, what: str) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """Of a mapping; each key once."""
        if not isinstance(node, yaml.MappingNode):
            self.wrong(line_of(node), f"expected {what}")
            return
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value in seen:
                self.wrong(line_of(key), f"expected {what}, each once")
            else:
                seen.add(key.value)
                yield key, value

    def items(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """Of a list; nothing is an empty one."""
        if isinstance(node, yaml.SequenceNode):
            return list(node.value)
        if not is_null(node):
            self.wrong(line_of(node), f"expected a list of {what}")
        return []

    def unknown(self, node: yaml.ScalarNode, what: str, known: Iterable[str]) -> None:
        """There is no such thing, but perhaps one with a similar name."""
        near = difflib.get_close_matches(node.value, list(known), 1)
        self.wrong(line_of(node), f"there is no {what} {node.value}" + (f"; did you mean {near[0]}?" if near else ""))


def is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag.endswith(":null")


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
