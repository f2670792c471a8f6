"""Feeds are XML that a reader of feeds takes, whatever jobs are called."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lb.pages.feeds import ATOM, FEEDS, Entry, atom, entry, rss
from wms.jobstatus import JobState, JobStatus

LINK = "https://lb.example:9000/RSS:finished"
TEXTS = st.text(max_size=30)
ENTRIES = st.lists(st.builds(
    Entry, TEXTS.map(lambda text: "https://lb.example:9000/" + text), st.sampled_from(["Done", "Aborted"]),
    st.floats(0, 4e9), TEXTS), max_size=4)


def status(state: JobState = JobState.DONE, **more: object) -> JobStatus:
    return JobStatus(state=state, job_id="https://lb.example:9000/a", last_update_time=1.7e9, **more)  # type: ignore[arg-type]


def test_what_a_feed_says_of_a_job() -> None:
    assert entry(status(reason="it ended", destination="ce/long", ce_node="wn1")) == Entry(
        "https://lb.example:9000/a", "Done", 1.7e9, "it ended, at ce/long, on wn1")
    assert entry(status()).text == "Done"


def test_an_entry_is_the_same_for_as_long_as_the_job_stays_in_its_state() -> None:
    first, later = entry(status()), entry(status(reason="more is known"))
    assert first.guid == later.guid == "https://lb.example:9000/a#Done"
    assert entry(status(JobState.CLEARED)).guid != first.guid


def test_rss() -> None:
    channel = xml.fromstring(rss("Finished jobs", LINK, [entry(status(reason="<b>&"))], 1.7e9)).find("channel")
    assert channel is not None
    assert [channel.findtext(name) for name in ("title", "link")] == ["Finished jobs", LINK]
    item = channel.find("item")
    assert item is not None
    assert {one.tag: one.text for one in item} == {
        "title": "Done: a", "link": "https://lb.example:9000/a", "description": "<b>&",
        "pubDate": "Tue, 14 Nov 2023 22:13:20 GMT", "guid": "https://lb.example:9000/a#Done"}
    assert parsedate_to_datetime(item.findtext("pubDate") or "").timestamp() == 1.7e9


def test_atom() -> None:
    root = xml.fromstring(atom("Finished jobs", LINK, [entry(status(reason="<b>&"))], 1.8e9))
    assert root.tag == f"{{{ATOM}}}feed"
    assert [root.findtext(f"{{{ATOM}}}{name}") for name in ("title", "id", "updated")] == [
        "Finished jobs", LINK, "2023-11-14T22:13:20Z"]
    item = root.find(f"{{{ATOM}}}entry")
    assert item is not None
    assert {one.tag.partition("}")[2]: one.text for one in item} == {
        "title": "Done: a", "id": "https://lb.example:9000/a#Done", "updated": "2023-11-14T22:13:20Z",
        "summary": "<b>&", "link": None}


def test_an_empty_feed_is_a_feed() -> None:
    assert xml.fromstring(atom("t", LINK, [], 1.7e9)).findtext(f"{{{ATOM}}}updated") == "2023-11-14T22:13:20Z"


@pytest.mark.parametrize("form", [rss, atom])
@given(entries=ENTRIES, title=TEXTS)
def test_any_text_gives_sound_xml(form: object, entries: list[Entry], title: str) -> None:
    document = form(title, LINK, entries, 1.7e9)  # type: ignore[operator]
    root = xml.fromstring(document)
    assert len([one for one in root.iter() if one.tag in ("item", f"{{{ATOM}}}entry")]) == len(entries)


def test_each_feed_has_its_states() -> None:
    assert {name: (feed.states, feed.type) for name, feed in FEEDS.items()} == {
        "finished": ((JobState.DONE, JobState.CLEARED), ""), "running": ((JobState.RUNNING,), ""),
        "aborted": ((JobState.ABORTED,), ""), "runningVM": ((JobState.RUNNING,), "VIRTUAL_MACHINE"),
        "doneVM": ((JobState.DONE,), "VIRTUAL_MACHINE")}
