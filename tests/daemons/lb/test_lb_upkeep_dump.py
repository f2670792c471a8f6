"""Dump and load: every kind of job comes back in the identical state, and nothing is done twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from io import BytesIO, StringIO
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from book_builders import JANE, START_TIME, story
from family_builders import decode
from upkeep_builders import ADMIN, Shelf, filled, kinds

from lb.kin import with_kin
from lb.state.record import public
from lb.tables import events, samples
from lb.ulm_log import Entry, entries, written
from lb.upkeep import archive, dump
from lb.upkeep.fold import fold_log
from wms import queue
from wms.errors import NotFound, NotPermitted, Refused
from wms.event import Event
from wms.messages.topics import LB_CHILDREN


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """A server with jobs of all kinds; tests only read it, and dump."""
    made = filled(Shelf(tmp_path_factory.mktemp("source")))
    yield made
    made.database.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    made = Shelf(tmp_path)
    yield made
    made.database.close()


def lines_of(events: Sequence[Event]) -> list[bytes]:
    return [written(one) for one in events]


def lines(source: Shelf) -> bytes:
    return source.file(source.dump(since="0").name)


def test_point_22_dump_and_load_restore_every_job_type_to_the_identical_state(source: Shelf, shelf: Shelf) -> None:
    assert len(kinds()) >= 21
    with shelf.running():
        loaded = shelf.load(lines(source))
    assert (loaded.rejected, loaded.duplicates, loaded.extra) == (0, 0, 0)
    assert loaded.stored == len(source.event_rows())
    assert shelf.everything() == source.everything()


def test_a_load_in_any_order_gives_the_same_states(source: Shelf, shelf: Shelf) -> None:
    with shelf.running():
        shelf.load(b"".join(reversed(lines(source).splitlines(keepends=True))))
    assert shelf.contents() == source.contents()


def test_a_load_again_changes_nothing(source: Shelf, shelf: Shelf) -> None:
    content = lines(source)
    shelf.load(content)
    before = shelf.everything()
    again = shelf.load(content)
    assert (again.stored, again.duplicates) == (0, len(source.event_rows()))
    assert shelf.everything() == before


def test_a_load_tells_no_statistics(source: Shelf, shelf: Shelf) -> None:
    shelf.load(lines(source))
    assert shelf.rows(sa.select(samples)) == []
    assert source.rows(sa.select(samples))


def test_a_log_without_the_states_of_collections_gives_them(source: Shelf, shelf: Shelf) -> None:
    """What the server that wrote the log computed is computed again, at the time of the children."""
    content = b"".join(line for line in lines(source).splitlines(keepends=True) if b'"CollectionState"' not in line)
    shelf.load(content)
    states = {row["job"]: (row["state"], row["done_code"]) for row in shelf.contents()}
    assert states == {row["job"]: (row["state"], row["done_code"]) for row in source.contents()}
    entered = {row["job"]: row["entered"] for row in shelf.contents()}
    assert entered["collection"] < START_TIME + 400


def test_children_that_a_dump_lacks_are_made(source: Shelf, shelf: Shelf) -> None:
    content = b"".join(line for line in lines(source).splitlines(keepends=True) if b'"LBServer"' not in line)
    shelf.load(content)
    assert shelf.rows(sa.select(queue.messages.c.topic))[0]["topic"] == LB_CHILDREN
    with shelf.running():
        pass
    assert {row["job"] for row in shelf.contents()} == {row["job"] for row in source.contents()}


def test_what_is_no_event_is_told_and_kept(shelf: Shelf) -> None:
    good = lines_of(story("a"))
    bad = [b"nonsense\n", b'{"type": 3}\n', good[3].replace(b'"Match"', b'"Guess"'), b"\xff\xfe\n"]
    loaded = shelf.load(b"# a log\n\n" + b"".join([*good[:2], *bad, *good[2:]]))
    assert (loaded.events, loaded.stored, loaded.rejected) == (len(good), len(good), 4)
    assert [(one.line, one.lb_code) for one in loaded.problems] == [(5, 1401), (6, 1401), (7, 1402), (8, 1401)]
    kept = shelf.file(loaded.file)
    assert [line for line in kept.splitlines(keepends=True) if not line.startswith(b"#")] == bad
    assert shelf.load(kept.replace(b"Guess", b"Match")).rejected == 3


def test_events_as_json_lines_are_taken(shelf: Shelf) -> None:
    content = b"\n".join(map(msgspec.json.encode, story("a")))
    assert shelf.load(content).stored == len(story("a"))


def test_a_job_of_another_server_of_that_name_is_refused(shelf: Shelf) -> None:
    shelf.ingest(story("a"))
    other = [line.replace(b"lb.example:9000", b"other.example:9000") for line in lines_of(story("a")[:2])]
    loaded = shelf.load(b"".join(other))
    assert (loaded.stored, [one.line for one in loaded.problems]) == (0, [1, 2])


def test_dumps_go_on_where_the_last_one_ended(shelf: Shelf) -> None:
    shelf.ingest(story("a"))
    shelf.clock.advance(1000)
    first = shelf.dump()
    assert (first.events, first.begin) == (len(story("a")), 0.0)
    shelf.clock.advance(1000)
    shelf.ingest(story("b"))
    shelf.clock.advance(1)
    second = shelf.dump()
    assert (second.events, second.begin) == (len(story("b")), first.end - 60)
    assert second.name != first.name
    assert shelf.dump(since="LAST_START", until="LAST_END").events == second.events
    assert shelf.dump(since="LAST_END").events == 0
    assert [one.name for one in shelf.do("lb.dumps").dumps] == sorted(one.name for one in shelf.do("lb.dumps").dumps)


def test_an_interval_is_half_open_and_times_have_two_forms(shelf: Shelf) -> None:
    at = shelf.clock.seconds()
    shelf.ingest(story("a"))
    assert shelf.dump(since="0", until=f"{at:.0f}").events == 0
    assert shelf.dump(since=f"{at:.0f}", until=f"{at + 1:.0f}").events == len(story("a"))
    assert shelf.dump(since="20231114221320", until="20301231000000").events == len(story("a"))
    with pytest.raises(Refused):
        shelf.dump(since="tomorrow")
    with pytest.raises(Refused):
        shelf.dump(since="10", until="9")


def test_a_dump_in_many_portions_has_every_event_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dump.portion, "__defaults__", (3,))
    shelf.ingest([*story("a"), *story("b")])
    shelf.clock.advance(1)
    shelf.ingest(story("c"))
    content = shelf.file(shelf.dump(since="0", until="20300101000000").name)
    found = [(one.event.job, one.event.seqcode) for one in entries(content.splitlines()) if isinstance(one, Entry)]
    assert len(found) == len(set(found)) == 3 * len(story())


def test_a_dump_that_fails_leaves_no_file(shelf: Shelf) -> None:
    with shelf.database.engine.begin() as conn:
        events.drop(conn)
    with pytest.raises(sa.exc.OperationalError):
        shelf.dump(since="0")
    assert list(archive.directory(shelf.kit.settings).iterdir()) == []


def test_a_file_of_the_server_can_be_loaded_and_fetched(source: Shelf) -> None:
    name = source.dump(since="0").name
    assert source.load(file=name).stored == 0
    reply = source.answer("lb.dump_file", dn=ADMIN, file=name)
    assert (Path(reply.path).name, reply.size) == (name, len(source.file(name)))
    for wrong in ("../wms.sqlite", ".hidden", "none", name + ".part"):
        with pytest.raises(NotFound):
            source.load(file=wrong)


@pytest.mark.parametrize("name", ["lb.dump", "lb.dumps", "lb.load", "lb.purge", "lb.dump_file", "lb.purge_progress"])
def test_upkeep_is_for_administrators(shelf: Shelf, name: str) -> None:
    with pytest.raises(NotPermitted):
        shelf.answer(name, dn=JANE)


# -- without a server ------------------------------------------------------------------------------------


def test_a_log_folded_without_a_server_gives_what_the_server_says(source: Shelf) -> None:
    out, err = StringIO(), StringIO()
    assert fold_log(BytesIO(lines(source)), "json", 1000, out, err) == 0
    folded = {one["jobId"]: one for one in map(json.loads, out.getvalue().splitlines())}
    records = {row["job"]: public(decode(row["record"])) for row in source.contents()}
    with source.database.engine.connect() as conn:
        said = with_kin(conn, records)
    assert folded == {status.job_id: {"state": "Undefined", **json.loads(msgspec.json.encode(status))}
                      for status in said.values()}
