"""What `wmsd decisions` and `wmsd replay` say: a decision from the tables or a file, made again, in words.

Reads the tables, changes nothing; no daemon need run.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from wm.matching.board import Board
from wm.matching.cycle import Cause, Outcome
from wm.ordering.order import Lane
from wm.replay import store
from wm.replay.exports import Whole, exported, imported
from wm.replay.records import Record, difference, read_outcome, replayed, told
from wm.replay.shelves import base_of
from wm.supply.supermarket import Snapshot
from wms.errors import NotFound, Refused

SHOWN = 10
"""Ranks of one lane that are shown without --json."""


class Told(NamedTuple):
    """What to print, and the exit status."""

    text: str
    status: int = 0


# -- the list --------------------------------------------------------------------------------------------


def decisions(engine: sa.Engine, *, job: str = "", number: int = 20, as_json: bool = False) -> Told:
    """The last decisions that are kept, newest first, or that of a job."""
    with engine.connect() as conn:
        rows = store.latest(conn, number) if not job else [_row(conn, _decision_of(conn, job))]
    found = [_summary(row) for row in rows]
    if as_json:
        return Told(_json({"result": "success", "decisions": found}))
    return Told("\n".join(_columns(("DECISION", "AT", "PLACED", "WAITING LANES"), [
        (one["id"], _time(one["at"]), one["placed"], one["waiting_lanes"]) for one in found])))


def _summary(row: store.Row) -> dict[str, Any]:
    outcome = read_outcome(row.outcome)
    return {"id": row.id, "at": row.at, "snapshot": row.snapshot,
            "placed": sum(one.jobs for one in outcome.placements), "waiting_lanes": len(outcome.waits)}


def _decision_of(conn: sa.Connection, job: str) -> str:
    found = store.of_job(conn, job)
    if found is None:
        raise NotFound(f"The Workload Manager does not know the job {job}.")
    if not found[0]:
        raise NotFound(f"Nothing was decided about the job {job} yet.")
    return found[0]


# -- one decision ----------------------------------------------------------------------------------------


def replay(engine: sa.Engine | None, *, id: str = "", job: str = "", source: str = "", target: str = "",
           verbose: bool = False, as_json: bool = False) -> Told:
    """Make a decision again: one of the tables by its id or that of a job, or one from a file `source`.

    `target` is a file to export it to. Status 1 if the outcome is not the same to the last bit.
    """
    lane = ""
    if source:
        whole = imported(_read(source))
    else:
        assert engine is not None
        with engine.connect() as conn:
            if job:
                id, lane = _decision_of(conn, job), (store.of_job(conn, job) or ("", ""))[1]
            whole = _whole(conn, id)
    if target:
        _write(target, exported(whole))
    record, snapshot, kept = whole.read()
    again = replayed(record, snapshot)
    differs = "" if told(again) == whole.outcome else difference(kept, again) or "the bytes of the outcome"
    report = {"result": "different" if differs else "same", "difference": differs, "id": whole.id,
              "at": record.inputs.now, "version": record.version, "ces": len(snapshot.ces), "lane": lane,
              **_decided(record, snapshot, kept, verbose)}
    return Told(_json(report) if as_json else "\n".join(_lines(report)), int(bool(differs)))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise Refused(f"Cannot read {path}: {error.strerror}.") from None


def _write(path: str, content: bytes) -> None:
    """For nobody else to read."""
    try:
        Path(path).touch(0o600)
        Path(path).write_bytes(content)
    except OSError as error:
        raise Refused(f"Cannot write {path}: {error.strerror}.") from None


def _row(conn: sa.Connection, id: str) -> store.Row:
    row = store.find(conn, id)
    if row is None:
        raise NotFound(f"There is no decision {id}.", hint="wmsd decisions shows those that are kept; the oldest go "
                       "when wm.decisions_bytes are full.")
    return row


def _whole(conn: sa.Connection, id: str) -> Whole:
    row = _row(conn, id)
    pieces = list[tuple[str, bytes]]()
    name = row.snapshot
    while name:
        packed = store.content(conn, name)
        if packed is None:
            raise NotFound(f"The resources of decision {row.id} are not kept any more.")
        pieces.append((name, zlib.decompress(packed)))
        name = base_of(pieces[-1][1])
    return Whole(row.id, zlib.decompress(row.record), row.outcome, tuple(reversed(pieces)))


def _decided(record: Record, snapshot: Snapshot, outcome: Outcome, verbose: bool) -> dict[str, Any]:
    """Lanes, what they got, why others wait; with `verbose` the ranks of the CEs each could go to."""
    ranks = _ranks(record, snapshot) if verbose else {}
    lanes = [{**lane._asdict(), "job": job, **({"ranks": ranks[lane.id]} if verbose else {}),
              "placed": {one.ce: one.jobs for one in outcome.placements if one.lane == lane.id},
              "waits": _cause(outcome.waits.get(lane.id))} for lane, job in _jobs(record)]
    return {"lanes": lanes, "seed": record.inputs.seed}


def _jobs(record: Record) -> Iterator[tuple[Lane, str]]:
    """Each lane with the id of the job that stood for it."""
    for lane, number in zip(record.inputs.lanes, record.lanes, strict=True):
        yield lane, record.asked[number].id


def _ranks(record: Record, snapshot: Snapshot) -> dict[str, list[tuple[str, float]]]:
    board, requests, now = Board(record.site()), record.requests(), record.inputs.now
    board.show(snapshot)
    fits = {lane.id: board.fit(lane.cls, requests[lane.id]) for lane in record.inputs.lanes}
    return {id: [(one.ce.id, one.rank) for one in fit.ranked(fit.mask(now), now)] for id, fit in fits.items()}


def _cause(cause: Cause | None) -> dict[str, Any] | None:
    return None if cause is None else {"why": cause.why.value, "ces": cause.ces, "detail": cause.detail}


# -- in words --------------------------------------------------------------------------------------------


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield (f"Decision {report['id']} of {_time(report['at'])} (version {report['version']}): "
           f"{len(report['lanes'])} lanes, {report['ces']} computing elements")
    lanes = sorted(report["lanes"], key=lambda lane: lane["id"] != report["lane"])
    placed = [(_mark(lane, report), lane["vo"], lane["owner"], lane["waiting"], jobs, ce)
              for lane in lanes for ce, jobs in lane["placed"].items()]
    waits = [(_mark(lane, report), lane["vo"], lane["owner"], lane["waiting"] - sum(lane["placed"].values()),
              lane["waits"]["ces"], f"{lane['waits']['why']} {lane['waits']['detail']}")
             for lane in lanes if lane["waits"]]
    if placed:
        yield from ("", *_columns(("LANE", "VO", "OWNER", "WAITED", "PLACED", "AT"), placed))
    if waits:
        yield from ("", *_columns(("LANE", "VO", "OWNER", "WAIT", "MATCH", "FOR"), waits))
    for lane in lanes:
        if "ranks" in lane:
            yield from ("", *_candidates(lane))
    yield ""
    yield (f"Made again, it is another: {report['difference']}." if report["difference"]
           else "Made again, it is the same to the last bit.")


def _mark(lane: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    return f"{lane['id']}{' *' if lane['id'] == report['lane'] else ''}"


def _candidates(lane: Mapping[str, Any]) -> Iterator[str]:
    yield f"Lane {lane['id']}, {lane['job']} and its like: {len(lane['ranks'])} match"
    yield from (f"  {rank:12g}  {ce}" for ce, rank in lane["ranks"][:SHOWN])
    if len(lane["ranks"]) > SHOWN:
        yield f"  and {len(lane['ranks']) - SHOWN} more"


def _columns(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    table = [heads, *(tuple(map(str, row)) for row in rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(heads))]
    for row in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
