"""Which jobs or CEs a command is about: its arguments, a file of --input, the user's choice among them."""

from __future__ import annotations

from collections.abc import Sequence

from clients import ids
from clients.errors import ArgumentMissing, ArgumentsExclusive, BadInputFile, Declined
from clients.session import Session, ask


def jobs(session: Session, given: Sequence[str], input_file: str) -> list[str]:
    """The identifiers to act on. Words that are none are reported, and left out unless the user objects."""
    if given and input_file:
        raise ArgumentsExclusive("Job identifiers and --input exclude each other.")
    if not given and not input_file:
        raise ArgumentMissing("No job identifier is given.",
                              hint="Name jobs, or a file of them with --input.")
    listed = ids.items(read(input_file), input_file) if input_file else list(given)
    good, bad = ids.job_ids(listed)
    if bad:
        session.warn("bad format, left out: " + ", ".join(bad), code="UI_WRONG_JOBID_FORMAT")
        if not session.confirm("Do you wish to continue ?", default=True):
            raise Declined("Nothing was done.")
    if input_file and len(good) > 1 and session.asks:
        return [good[index] for index in choose(good, ids.jobs_question(len(good)), several=True)]
    return good


def one_ce(session: Session, input_file: str) -> str:
    """The CE to submit to, chosen from a file; the first when nothing may be asked."""
    listed = ids.items(read(input_file), input_file)
    for entry in listed:
        if "/" not in entry:
            raise BadInputFile(f"invalid input file : {input_file}: {entry!r} is not a CE identifier")
    if len(listed) == 1 or not session.asks:
        return listed[0]
    return listed[choose(listed, "Choose one resource in the list :", several=False)[0]]


def choose(entries: Sequence[str], question: str, *, several: bool) -> list[int]:
    """Show the menu until it is answered; Declined when the user leaves it or input ends."""
    while True:
        answer = ask(ids.menu(entries, question, several=several) + " ")
        if answer is None and several:
            return list(range(len(entries)))
        found = ids.chosen(answer or "q", len(entries), several=several) if answer or not several else \
            list(range(len(entries)))
        if found:
            return found
        if found == []:
            raise Declined("bye")


def read(path: str) -> str:
    """The text of a file the user named; BadInputFile when it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise BadInputFile(f"invalid input file : {path}: {reason}", path=path) from None
