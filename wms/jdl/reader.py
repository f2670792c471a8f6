"""Reads the attributes of one record by the table, once each, and collects what is wrong with them.

Rules that concern several attributes are in checks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wms.jdl.ast import UNDEFINED, Ad, Node, Operation, Position, Unary, Warned
from wms.jdl.attributes import BY_NAME, JdlAttribute, meant, reserved
from wms.jdl.evaluate import evaluate
from wms.jdl.forms import wrong_type

MAX_HINTS: Final = 20
_NO_TEXT: Final = (Operation, Unary)
"""What never gives a string, list or record: as a condition or rank it needs no evaluation."""


class Reader:
    """`problems` are `{attribute, row, column, message}` in the order found; `warnings` do not refuse.

    Attributes are asked for by their names in the table. One with a wrong value counts as absent, and is
    reported when it is first asked for.
    """

    def __init__(self, ad: Ad, defaults: Mapping[str, Node]) -> None:
        self.ad = ad
        self.problems: list[dict[str, Any]] = []
        self.warnings: list[Warned] = list(ad.warnings)
        self._defaults = {
            BY_NAME[name.lower()].name: node for name, node in defaults.items() if name not in ad}
        self._values: dict[str, Any] = {}
        self._wrong: dict[str, str] = {}
        for name, node in self._defaults.items():
            self._read(BY_NAME[name.lower()], node)
        for name, node in ad.attributes:
            row = BY_NAME.get(name.lower())
            if row is not None:
                self._read(row, node)

    def _read(self, row: JdlAttribute, node: Node) -> None:
        value = UNDEFINED if row.kind == "e" and isinstance(node, _NO_TEXT) else evaluate(node, self.ad)
        wrong = wrong_type(row.kind, value) or (row.check and row.check.wrong(value))
        if wrong:
            self._wrong[row.name] = wrong
        else:
            self._values[row.name] = value

    # -- values ------------------------------------------------------------------------------------------

    def node(self, name: str) -> Node | None:
        """What the user wrote, else the default."""
        written = self.ad.get(name)
        return self._defaults.get(name) if written is None else written

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The value of an attribute, checked; `otherwise` when it is absent or wrong."""
        if self._wrong and (wrong := self._wrong.pop(name, None)):
            self.problem(name, wrong)
        return self._values.get(name, otherwise)

    def list_of(self, name: str) -> list[Any]:
        """The items of an attribute that may be one item or a list of them."""
        value = self.get(name, [])
        return value if isinstance(value, list) else [value]

    # -- problems ----------------------------------------------------------------------------------------

    def problem(self, name: str, message: str) -> None:
        row, column = self._position(name)
        self.problems.append(
            {"attribute": name, "row": row, "column": column, "message": f"{name}: {message}"})

    def report(self, name: str, messages: Sequence[str | None]) -> None:
        for message in messages:
            if message:
                self.problem(name, message)

    def warn(self, name: str, message: str) -> None:
        self.warnings.append(Warned(*self._position(name), message))

    def _position(self, name: str) -> Position:
        """Where the value of an attribute stands; for an absent one, where the record begins."""
        node = self.ad.get(name)
        return self.ad.position if node is None else node.position

    # -- the table ---------------------------------------------------------------------------------------

    def check_table(self, letters: str) -> None:
        """Every attribute of the record against its row; `letters` are the job's types."""
        unknown = []
        for name, _ in self.ad.attributes:
            row = BY_NAME.get(name.lower())
            if row is not None:
                self.get(row.name)
                if letters not in row.jobs and not any(letter in row.jobs for letter in letters):
                    self.warn(row.name, f"{row.name} has no meaning for this type of job and is ignored")
            elif reserved(name):
                self.problem(name, f"attribute {name} is reserved")
            else:
                unknown.append(name)
        for name in unknown[:MAX_HINTS]:
            known = meant(name)
            if known:
                self.warn(name, f"unknown attribute '{name}' is kept as yours; did you mean '{known}'?")
