"""Nodes checked as the single jobs they become; what is wrong with all of them is said at once."""

from __future__ import annotations

from typing import Any, Final

from wms.errors import JdlError, JdlInvalid
from wms.jdl.ast import Ad
from wms.jdl.attributes import JOB_TYPES
from wms.jdl.description import describe
from wms.jdl.parser import parse

HEAD: Final = "The following error(s) have been found while checking nodes:"
FORBIDDEN: Final = "IPCRKD"
MOST_NODES: Final = 20
MOST_PROBLEMS: Final = 100


def refuse(attribute: str, message: str, ad: Ad) -> JdlInvalid:
    """A refusal for one attribute of the compound itself."""
    written = ad.get(attribute)
    row, column = ad.position if written is None else written.position
    text = f"{attribute}: {message}"
    return JdlInvalid(text, problems=[{"attribute": attribute, "row": row, "column": column, "message": text}])


class Checker:
    """Collects the problems of nodes, each with the name of its node, up to a bound."""

    def __init__(self, allowed: str = "NM") -> None:
        self._allowed = allowed
        self._blocks: list[str] = []
        self._problems: list[dict[str, Any]] = []
        self._left_out = 0

    def check_text(self, name: str, text: str) -> None:
        try:
            ad = parse(text, name)
        except JdlError as error:
            self.add(name, [f"The following parsing error(s) have been found:\n{error.message}"])
        else:
            self.check(name, ad)

    def check(self, name: str, ad: Ad) -> None:
        try:
            found = describe(ad)
        except JdlError as error:
            self.add(name, error.message.split("\n"), error.details.get("problems", ()))
            return
        strange = [kind for kind in found.job_types if kind not in _names(self._allowed)]
        if strange:
            self.add(name, [f"JobType: {', '.join(strange)} is not allowed for a node"])

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


def _names(letters: str) -> set[str]:
    return {JOB_TYPES[letter] for letter in letters}
