"""Lists of job or CE identifiers: files of them, the menu to choose from, and the answers to it. Pure text.

Whether a job exists is for the services to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from clients.errors import AllJobIdsWrong, BadInputFile
from wms.errors import BadJobId
from wms.jobid import JobId

HEADER = "###Submitted Job Ids###"
RULE = "-" * 99
_COMMENT = ("#", "//", "*")
_CHOICE = re.compile(r"(\d+)(?:\s*-\s*(\d+))?")


def items(text: str, path: str) -> list[str]:
    """The items of a file, one a line, each once; blank lines and comments (# // *) are skipped.

    BadInputFile when there is none.
    """
    lines = (line.strip() for line in text.splitlines())
    found = list(dict.fromkeys(line for line in lines if line and not line.startswith(_COMMENT)))
    if not found:
        raise BadInputFile(f"invalid input file : {path}", hint="It names nothing.", path=path)
    return found


def job_ids(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """(canonical identifiers, each once; words that are none). AllJobIdsWrong, or BadJobId for a lone one."""
    good: dict[str, None] = {}
    bad: list[str] = []
    for text in texts:
        try:
            good[str(JobId.parse(text))] = None
        except BadJobId as error:
            bad.append(text)
            single = error
    if bad and not good:
        if len(bad) == 1:
            raise single
        raise AllJobIdsWrong("all parsed jobids in bad format: " + ", ".join(word[:200] for word in bad),
                             hint="https://HOST[:PORT]/UNIQUE", value=bad)
    return list(good), bad


def menu(entries: Sequence[str], question: str, *, several: bool) -> str:
    """The numbered list and the question below it."""
    lines = [RULE, *(f"{number} : {entry}" for number, entry in enumerate(entries, start=1))]
    if several:
        lines.append("a : all")
    return "\n".join([*lines, "q : quit", question])


def jobs_question(count: int) -> str:
    return f"Choose one or more edg_jobId(s) in the list - [1-{count}]all:"


def chosen(answer: str, count: int, *, several: bool = True) -> list[int] | None:
    """The indices (from 0) an answer selects, each once; empty for quit, None when it is no answer.

    `3`, `1,3-5`, `a` or nothing (all, where several may be chosen), `q`.
    """
    answer = answer.strip().lower()
    if answer == "q":
        return []
    if several and answer in ("", "a", "all"):
        return list(range(count))
    found: dict[int, None] = {}
    for part in answer.split(","):
        match = _CHOICE.fullmatch(part.strip())
        if match is None:
            return None
        first, last = int(match[1]), int(match[2] or match[1])
        if not 1 <= first <= last <= count:
            return None
        found.update(dict.fromkeys(range(first - 1, last)))
    return list(found) if several or len(found) == 1 else None
