"""Pages about the service itself: statistics, counters, configuration, version, types."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from book_builders import JANE, START_TIME, Book, story
from outline import Outline, home
from test_lb_page_family import ingest

from lb.pages.figures_query import MOST_PLACES
from lb.service import make
from wms.event import EVENT_TYPES
from wms.jobstatus import JobState
from wms.version import VERSION

RECENT = START_TIME + 900


def counted(book: Book, name: str) -> int:
    return int(msgspec.json.decode(home(book, stats="", json="").body)["counters"][name]["value"])


@pytest.fixture
def jobs(book: Book) -> Book:
    for index in range(5):
        ingest(book, story(f"job{index}", at=RECENT))
    return book


def test_statistics_are_drawn(jobs: Book) -> None:
    outline = Outline(home(jobs, stats="").body)
    assert [text for text in outline.texts["figcaption"] if text != "Submitted"] == [
        "Waiting", "Ready", "Scheduled", "Running", "Done OK", "Done FAILED"]
    assert "Scheduled to Running" in outline.texts["th"]
    assert len(outline.of("circle")) == 4 + 5
    row = next(row for row in outline.rows if row[0] == "ce.example/long")
    assert row[2:] == ["5", "0", "10.0 s", "20.0 s"]


def test_statistics_of_one_destination(jobs: Book) -> None:
    record = msgspec.json.decode(home(jobs, stats="", json="", destination="ce.example/long").body)
    assert record["durations"]["Running to Done OK"] == {"samples": 5, "mean": 20.0, "deviation": 0.0}
    assert record["rates"]["Done OK"] == pytest.approx(5 / (record["until"] - record["since"]))
    assert record["dwell"]["Running"]["mean"] == 20.0
    assert "ce.example/long" in Outline(home(jobs, stats="", destination="ce.example/long").body).texts["p"][0]


@pytest.mark.parametrize("resolution", ["10", "60", "900", "3600"])
def test_each_resolution_reaches_further_back(jobs: Book, resolution: str) -> None:
    record = msgspec.json.decode(home(jobs, stats="", json="", resolution=resolution).body)
    assert record["resolution_s"] == int(resolution)
    assert record["durations"]["Running to Done OK"]["samples"] == 5
    assert home(jobs, stats="", resolution="7").status == 400


def test_counters_as_text(jobs: Book) -> None:
    lines = home(jobs, stats="", text="").body.decode().splitlines()
    assert "glite_jobs=5" in lines
    assert f"glite_jobs_since={START_TIME + 1000:.0f}" in lines


def test_nothing_yet_is_a_page_too(book: Book) -> None:
    outline = Outline(home(book, stats="").body)
    assert "Done OK" in outline.texts["figcaption"]
    assert not outline.of("circle")


def test_very_many_destinations_are_cut(book: Book) -> None:
    for index in range(MOST_PLACES + 3):
        events = [msgspec.structs.replace(one, fields={**one.fields, "dest_id": f"ce{index:02}"})
                  if one.type == "Match" else one for one in story(f"job{index}", at=RECENT)]
        ingest(book, events)
    outline = Outline(home(book, stats="").body)
    assert "and 3 more" in " ".join(outline.texts["p"])


def test_administrators_may_keep_statistics_for_themselves(jobs: Book) -> None:
    settings = jobs.kit.settings
    lb = msgspec.structs.replace(settings.lb, statistics="administrators")
    jobs.daemon = make(replace(jobs.kit, settings=msgspec.structs.replace(settings, lb=lb)))
    assert home(jobs, stats="").status == 403


def test_the_version_is_no_secret(book: Book) -> None:
    assert dict(zip(*[Outline(home(book, dn=None, version="").body).texts[tag] for tag in ("dt", "dd")],
                    strict=True))["version"] == VERSION
    assert f"version={VERSION}" in home(book, dn=None, version="", text="").body.decode()
    assert msgspec.json.decode(home(book, dn=None, version="", json="").body)["version"] == VERSION


def test_the_configuration_names_the_caller(book: Book) -> None:
    facts = Outline(home(book, configuration="").body).texts
    assert dict(zip(facts["dt"], facts["dd"], strict=False))["server_version"] == VERSION
    lines = home(book, configuration="", text="").body.decode().splitlines()
    assert [line.partition("=")[0] for line in lines] == [
        "server_version", "server_identity", "client_identity", "server_indices", "msg_brokers", "msg_prefixes"]
    assert msgspec.json.decode(home(book, configuration="", json="").body)["client_identity"] == JANE
    assert home(book, dn=None, configuration="").status == 401


def test_administrators_see_more_of_the_configuration(book: Book) -> None:
    settings = book.kit.settings
    lb = msgspec.structs.replace(settings.lb, super_users=(JANE,))
    book.daemon = make(replace(book.kit, settings=msgspec.structs.replace(settings, lb=lb)))
    record = msgspec.json.decode(home(book, configuration="", json="").body)
    assert record["admins"] == [JANE]
    assert "dump_start" in Outline(home(book, configuration="").body).texts["dt"]


def test_all_types_are_listed(book: Book) -> None:
    rows = Outline(home(book, dn=None, types="").body).rows
    assert [row[1] for row in rows[1:]] == list(EVENT_TYPES)
    record = msgspec.json.decode(home(book, dn=None, types="", json="").body)
    assert record["states"] == [state.value for state in JobState]
    assert len(record["events"]) == len(EVENT_TYPES)
    lines = home(book, dn=None, types="", text="").body.decode().splitlines()
    assert "Running=8,node" in lines
