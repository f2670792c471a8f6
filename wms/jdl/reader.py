"""Reads the attributes of one record by the table, once each, and collects what is wrong with them.

Rules that concern several attributes are in description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wms.jdl.ast import Ad, Node, Position, Warned
from wms.jdl.attributes import BY_NAME, JdlAttribute, meant, reserved, wrong_type
from wms.jdl.evaluate import evaluate
from wms.jdl.values import Value

MAX_HINTS = 20


class Reader:
    """`problems` are `{attribute, row, column, message}` in the order found; `warnings` do not refuse."""

    def __init__(self, ad: Ad, defaults: Mapping[str, Node]) -> None:
        self.ad = ad
        self.problems: list[dict[str, Any]] = []
        self.warnings: list[Warned] = list(ad.warnings)
        self._defaults = {name.lower(): node for name, node in defaults.items()}
        self._values: dict[str, Any] = {}

    # -- values ------------------------------------------------------------------------------------------

    def node(self, name: str) -> Node | None:
        """What the user wrote, else the default."""
        written = self.ad.get(name)
        return self._defaults.get(name.lower()) if written is None else written

    def default(self, name: str) -> Node:
        """The default of an attribute that has one."""
        return self._defaults[name.lower()]

    def get(self, name: str, otherwise: Any = None) -> Any:
        """The value of an attribute, checked; `otherwise` when it is absent or wrong."""
        key = name.lower()
        if key not in self._values:
            self._values[key] = self._checked(BY_NAME[key])
        value = self._values[key]
        return otherwise if value is None else value

    def list_of(self, name: str) -> list[Any]:
        """The items of an attribute that may be one item or a list of them."""
        value = self.get(name, [])
        return value if isinstance(value, list) else [value]

    def _checked(self, row: JdlAttribute) -> Value | None:
        node = self.node(row.name)
        if node is None:
            return None
        value = evaluate(node, self.ad)
        wrong = wrong_type(row, value) or (row.check and row.check(value))
        if wrong:
            self.problem(row.name, wrong)
        return None if wrong else value

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
        for name in self.ad.names():
            row = BY_NAME.get(name.lower())
            if row is not None:
                self._check_row(row, letters)
            elif reserved(name):
                self.problem(name, f"attribute {name} is reserved")
            else:
                unknown.append(name)
        for name in unknown[:MAX_HINTS]:
            known = meant(name)
            if known:
                self.warn(name, f"unknown attribute '{name}' is kept as yours; did you mean '{known}'?")

    def _check_row(self, row: JdlAttribute, letters: str) -> None:
        self.get(row.name)
        if not set(letters) & set(row.jobs):
            self.warn(row.name, f"{row.name} has no meaning for this type of job and is ignored")

