"""Feeds of jobs as RSS 2.0 and Atom (RFC 4287): entries in, XML out.

Pure; which jobs are in a feed is asked in lb.pages.page_query. A job has an entry for each state in which it is met.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree import ElementTree as xml

import msgspec

from lb.pages.wording import iso
from wms.jobstatus import JobState, JobStatus, JobType

ATOM = "http://www.w3.org/2005/Atom"
ATOM_TYPE, RSS_TYPE = "application/atom+xml; charset=utf-8", "application/rss+xml; charset=utf-8"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Feed(msgspec.Struct, frozen=True):
    """What a feed is about; `type` empty is any type of job."""

    title: str
    states: tuple[JobState, ...]
    type: str = ""


FEEDS: Mapping[str, Feed] = {
    "finished": Feed("Finished jobs", (JobState.DONE, JobState.CLEARED)),
    "running": Feed("Running jobs", (JobState.RUNNING,)),
    "aborted": Feed("Aborted jobs", (JobState.ABORTED,)),
    "runningVM": Feed("Running virtual machines", (JobState.RUNNING,), JobType.VIRTUAL_MACHINE.value),
    "doneVM": Feed("Virtual machines that are done", (JobState.DONE,), JobType.VIRTUAL_MACHINE.value),
}


class Entry(msgspec.Struct, frozen=True):
    """A job in a state; `at` is when it was last heard of (epoch s)."""

    link: str
    state: str
    at: float
    text: str

    @property
    def guid(self) -> str:
        """The same for as long as the job stays in its state."""
        return f"{self.link}#{self.state}"

    @property
    def title(self) -> str:
        return f"{self.state}: {self.link.rpartition('/')[2]}"


def entry(status: JobStatus) -> Entry:
    """What a feed says of a job."""
    told = (("", status.reason), ("at ", status.destination), ("on ", status.ce_node))
    return Entry(status.job_id, status.state.value, status.last_update_time,
                 ", ".join(word + value for word, value in told if value) or status.state.value)


def rss(title: str, link: str, entries: Sequence[Entry], now: float) -> bytes:
    """A channel of these entries; `link` is the address of the service, `now` epoch seconds."""
    root = xml.Element("rss", version="2.0")
    channel = xml.SubElement(root, "channel")
    _texts(channel, {"title": title, "link": link, "description": f"{title} of the last hours",
                     "lastBuildDate": _rfc822(now)})
    for one in entries:
        item = xml.SubElement(channel, "item")
        _texts(item, {"title": one.title, "link": one.link, "description": one.text, "pubDate": _rfc822(one.at)})
        xml.SubElement(item, "guid", isPermaLink="false").text = _clean(one.guid)
    return _document(root)


def atom(title: str, link: str, entries: Sequence[Entry], now: float) -> bytes:
    """The same as an Atom feed; `link` is its own address too."""
    root = xml.Element("feed", xmlns=ATOM)
    _texts(root, {"title": title, "id": link, "updated": iso(max((one.at for one in entries), default=now))})
    xml.SubElement(root, "link", rel="self", href=_clean(link))
    _texts(xml.SubElement(root, "author"), {"name": "Logging & Bookkeeping"})
    for one in entries:
        item = xml.SubElement(root, "entry")
        _texts(item, {"title": one.title, "id": one.guid, "updated": iso(one.at), "summary": one.text})
        xml.SubElement(item, "link", href=_clean(one.link))
    return _document(root)


def _texts(parent: xml.Element, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        xml.SubElement(parent, name).text = _clean(value)


def _clean(text: str) -> str:
    """Without the characters that no XML document may hold."""
    return _FORBIDDEN.sub("\ufffd", text)


def _document(root: xml.Element) -> bytes:
    found: bytes = xml.tostring(root, encoding="utf-8", xml_declaration=True)
    return found


def _rfc822(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
