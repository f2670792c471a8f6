"""Nodes checked as the single jobs they become; what is wrong with all of them is said at once."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from typing import Any, Final

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad
from wms.jdl.attributes import JOB_TYPES
from wms.jdl.description import describe
from wms.jdl.evaluate import evaluate
from wms.jdl.parser import parse

HEAD: Final = "The following error(s) have been found while checking nodes:"
MOST_NODES: Final = 20
MOST_PROBLEMS: Final = 100
_STRING = re.compile(r'"[^"]*"')
_WORD = re.compile(r"[A-Za-z0-9]+")
_LONG: Final = 200
_WORDS: Final = frozenset({
    "job", "dag", "collection", "normal", "interactive", "mpich", "checkpointable", "partitionable", "parametric",
    "file", "http", "https", "gsiftp", "lfn", "guid", "si", "lds", "query", "jobmanager", "edg", "jdl", "dli", "rls"})


def refuse(attribute: str, message: str, ad: Ad) -> JdlInvalid:
    """A refusal for one attribute of the compound itself."""
    written = ad.get(attribute)
    row, column = ad.position if written is None else written.position
    text = f"{attribute}: {message}"
    return JdlInvalid(text, problems=[{"attribute": attribute, "row": row, "column": column, "message": text}])


def collocated(root: Ad) -> bool:
    """NodesCollocation: do all nodes go to one computing element? Raises JdlInvalid.

    It is chosen by what stands at the top of the compound, whatever its nodes say.
    """
    written = root.get("NodesCollocation")
    value = False if written is None else evaluate(written, root)
    if not isinstance(value, bool):
        raise refuse("NodesCollocation", "wrong type caught for attribute (boolean expected)", root)
    missing = [name for name in ("Requirements", "Rank") if name not in root]
    if value and missing:
        raise refuse("NodesCollocation", f"{' and '.join(missing)} must stand at the top of the compound", root)
    return value


class Checker:
    """Collects the problems of nodes, each with the name of its node, up to a bound."""

    def __init__(self, allowed: str = "NM") -> None:
        self._allowed = allowed
        self._blocks: list[str] = []
        self._problems: list[dict[str, Any]] = []
        self._left_out = 0
        self._passed: set[str] = set()

    def check_text(self, name: str, text: str) -> None:
        try:
            ad = parse(text, name)
        except JdlError as error:
            self.add(name, [f"The following parsing error(s) have been found:\n{error.message}"])
        else:
            self.check(name, ad, text)

    def check(self, name: str, ad: Ad, text: str) -> None:
        """Nodes of a form that has passed pass; `text` is that of `ad`."""
        here = form(text)
        if here not in self._passed and self._is_right(name, ad):
            self._passed.add(here)

    def _is_right(self, name: str, ad: Ad) -> bool:
        try:
            found = describe(ad)
        except JdlError as error:
            self.add(name, error.message.split("\n"), error.details.get("problems", ()))
            return False
        strange = [kind for kind in found.job_types if kind not in _names(self._allowed)]
        if strange:
            self.add(name, [f"JobType: {', '.join(strange)} is not allowed for a node"])
        return not strange

    def add(self, name: str, messages: list[str], problems: Any = ()) -> None:
        if len(self._blocks) >= MOST_NODES:
            self._left_out += 1
            return
        self._blocks.append("\n  ".join([f"{name}:", *messages]))
        given = problems or [{"attribute": "", "row": 0, "column": 0, "message": text} for text in messages]
        self._problems += [{**problem, "node": name} for problem in given][:MOST_PROBLEMS - len(self._problems)]

    def refuse_problems(self) -> None:
        """Raise JdlInvalid when there was any."""
        if self._blocks:
            more = [f"... and {self._left_out} more node(s)"] if self._left_out else []
            raise JdlInvalid("\n".join([HEAD, *self._blocks, *more]), problems=self._problems)


def form(text: str) -> str:
    """What checks can see of a text: its words in strings are renamed by where each came first.

    No check looks at which word stands in a string, only at what is between words, at which words are equal,
    at how many digits a number has, and at the words of the language, which keep their names.
    """
    if "\\" in text:
        return text
    known: dict[str, str] = {}

    def renamed(word: re.Match[str]) -> str:
        text = word[0]
        if text not in known:
            known[text] = text if text.lower() in _WORDS else f"{_kind(text)}{len(known)}"
        return known[text]

    return _STRING.sub(lambda string: _WORD.sub(renamed, string[0]) if len(string[0]) < _LONG else string[0], text)


def outline(strings: Sequence[str]) -> Hashable:
    """The form of a text of which nothing but these strings, with their quotes and no escapes, differs from others."""
    text = "".join(strings)
    if max(map(len, strings)) >= _LONG:
        return form(text)
    words, known = _WORD.findall(text), dict[str, str]()
    for word in words:
        if word not in known:
            known[word] = word if word.lower() in _WORDS else f"{_kind(word)}{len(known)}"
    return _WORD.sub("w", text), " ".join([known[word] for word in words])


def _kind(word: str) -> str:
    return f"d{len(word)}." if word.isdigit() else "m" if word[0].isdigit() else "a"


def _names(letters: str) -> set[str]:
    return {JOB_TYPES[letter] for letter in letters}
