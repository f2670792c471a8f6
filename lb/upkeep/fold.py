"""lb-fold: the final status of each job of a log of events, without a server and without a database.

Reads the log once; only jobs whose events come out of order are read again at the end.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import IO, TextIO

import click
import msgspec

from lb.state.machine import Record
from lb.state.record import public
from lb.text import status_lines
from lb.ulm_log import MAX_LINE, Entry, Problem, read
from lb.upkeep.ledger import Ledger
from wms.event import Event

MOST_CHILDREN = 1_000_000


@click.command("lb-fold")
@click.argument("log", metavar="FILE", type=click.File("rb"))
@click.option("--json", "form", flag_value="json", default="json", help="One JSON object a job and line (the default).")
@click.option("--text", "form", flag_value="text", help="Lines key=value, an empty line after each job.")
@click.option("--children", "most", type=click.IntRange(min=0), default=MOST_CHILDREN, show_default=True,
              help="Most children to list that exist only by the registration of their parents.")
def main(log: IO[bytes], form: str, most: int) -> None:
    """Print the final status of each job of a log of events (- is the standard input), sorted by job identifier.

    A line is an event in ULM, with or without its arrival in front, or a JSON object; their order does not matter.
    Lines that are no events are reported; then the exit status is 1.
    """
    with _seekable(log) as file:
        sys.exit(fold_log(file, form, most, sys.stdout, sys.stderr))


def fold_log(file: IO[bytes], form: str, most: int, out: TextIO, err: TextIO) -> int:
    """The exit status: 0 if every line was an event."""
    ledger, bad, extra = Ledger(), 0, 0
    for place, found in _entries(file):
        if isinstance(found, Entry):
            ledger.take(found.event, place)
            extra += found.extra
        else:
            bad += 1
            err.write(f"line {found.number}: {found.reason} ({found.lb_code})\n")
    for record in ledger.records(lambda place: _event_at(file, place), most):
        out.write(shown(record, form))
    if extra:
        err.write(f"{extra} unknown keys were left out\n")
    if ledger.unnamed:
        err.write(f"{ledger.unnamed} more children are registered that no event is about\n")
    return 1 if bad else 0


def shown(record: Record, form: str) -> str:
    """A job as one line of JSON or as lines of text."""
    status = public(record)
    if form == "text":
        return status_lines(status) + "\n"
    fields = msgspec.to_builtins(status)
    return msgspec.json.encode({"jobId": status.job_id, "state": status.state, **fields}).decode() + "\n"


def _entries(file: IO[bytes]) -> Iterator[tuple[int, Entry | Problem]]:
    number, place = 0, 0
    while line := file.readline(MAX_LINE + 1):
        number += 1
        found = read(number, line)
        if found is not None:
            yield place, found
        place += len(line)
        while len(line) > MAX_LINE and not line.endswith(b"\n"):
            line = file.readline(MAX_LINE + 1)
            place += len(line)


def _event_at(file: IO[bytes], place: int) -> Event:
    file.seek(place)
    found = read(0, file.readline(MAX_LINE + 1))
    if not isinstance(found, Entry):
        raise click.ClickException("The file has changed while it was read.")
    return found.event


def _seekable(log: IO[bytes]) -> IO[bytes]:
    """The log itself, or a copy of what comes through a pipe."""
    if log.seekable():
        return log
    copy = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    shutil.copyfileobj(log, copy)
    copy.seek(0)
    return copy
