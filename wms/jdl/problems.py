"""What is wrong with a JDL text, collected while it is read, and the one error that tells all of it."""

from __future__ import annotations

import re
from typing import Any

from wms.errors import JdlError
from wms.jdl.lexer import Lexer
from wms.jdl.limits import MAX_PROBLEMS

_WORD = re.compile(r"\w+|\S")


class Problem(Exception):
    """One thing wrong at one place: what was expected there, or the reason; `fatal` ends the reading."""

    def __init__(self, offset: int, expected: str, reason: str = "", *, fatal: bool = False) -> None:
        super().__init__(expected)
        self.offset, self.expected, self.reason, self.fatal = offset, expected, reason, fatal


class Problems:
    """Those of one text, each `{file, row, column, expected, found, excerpt, message}`."""

    def __init__(self, lexer: Lexer, file: str) -> None:
        self._lexer = lexer
        self._file = file
        self._known: list[dict[str, Any]] = []

    def __len__(self) -> int:
        return len(self._known)

    def report(self, problem: Problem) -> None:
        """Keep a problem unless its place was reported already; raises JdlError when no more is worth reading."""
        row, column = self._lexer.position_of(problem.offset)
        if not any((known["row"], known["column"]) == (row, column) for known in self._known[-3:]):
            self._known.append(self._record(problem, row, column))
        if problem.fatal or len(self._known) >= MAX_PROBLEMS:
            raise self.error()

    def error(self) -> JdlError:
        problems = sorted(self._known, key=lambda problem: (problem["row"], problem["column"]))
        first = problems[0]
        text = "Syntax error in the JDL file {file} at row {row}, column {column}: {message} at: {excerpt!r}"
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        where = {key: first[key] for key in ("file", "row", "column", "expected", "excerpt")}
        return JdlError(text.format_map(first) + more, problems=problems, **where)

    def _record(self, problem: Problem, row: int, column: int) -> dict[str, Any]:
        excerpt = self._lexer.excerpt(problem.offset)
        word = _WORD.match(excerpt)
        message = problem.reason or f"{problem.expected} expected"
        if self._lexer.broken_string:
            start = "row {}, column {}".format(*self._lexer.broken_string)
            message += f" (the string at {start} runs over several lines: is its closing quote missing?)"
        return {"file": self._file, "row": row, "column": column, "expected": problem.expected,
                "found": word[0] if word else "end of text", "excerpt": excerpt, "message": message}
