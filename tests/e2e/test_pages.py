"""The pages of a real bookkeeping service in a real browser: what is drawn, what moves, what cannot happen."""

from __future__ import annotations

import http.client
import secrets
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from browser import Browser, Passage, Tab
from deployment import Deployment, until

from wms.clienttls import client_context
from wms.event import Event, Source, event
from wms.jobid import JobId
from wms.seqcode import START
from wms.x509.proxy import identify, load

HOSTILE = "<img src=x onerror=\"window.hacked = 1\"><script>window.hacked = 1</script>"
STEPS: tuple[tuple[Source, str, dict[str, Any]], ...] = (
    (Source.NETWORK_SERVER, "RegJob", {"jdl": f"[ Executable = \"/bin/sleep\"; A = \"{HOSTILE}\" ]", "ns": "ns.example",
                                       "jobtype": "SIMPLE"}),
    (Source.NETWORK_SERVER, "EnQueued", {"queue": "wm", "result": "OK"}),
    (Source.WORKLOAD_MANAGER, "Match", {"dest_id": "ce.example.org:8443/slurm-long"}),
    (Source.WORKLOAD_MANAGER, "EnQueued", {"queue": "jobadapter", "result": "OK"}),
    (Source.LOG_MONITOR, "Transfer", {"destination": "LRMS", "dest_host": "ce.example.org", "job": "7",
                                     "result": "OK"}),
    (Source.APPLICATION, "UserTag", {"name": "campaign", "value": HOSTILE}),
    (Source.LRMS, "Running", {"node": "wn17.example.org"}),
    (Source.LOG_MONITOR, "Done", {"status_code": "OK", "exit_code": 0}),
    (Source.NETWORK_SERVER, "Clear", {"reason": "USER"}),
)
RUNNING, SCHEDULED = 7, 6
APART_S = 60.0


@dataclass(frozen=True, slots=True)
class Books:
    """A service whose user logs events by HTTPS and looks at pages through the passage."""

    service: Deployment
    host: str
    port: int
    address: str

    def new_job(self) -> JobId:
        return JobId.make(self.host, self.port, secrets.token_bytes(16))

    def log(self, *events: Event) -> None:
        context = client_context(str(self.service.site.proxy), str(self.service.site.certificates))
        with closing(http.client.HTTPSConnection(self.host, self.port, context=context, timeout=20)) as connection:
            body = b"\n".join(map(msgspec.json.encode, events))
            connection.request("POST", "/lb/v1/events", body, {"Content-Type": "application/x-ndjson"})
            answer = connection.getresponse()
            told = msgspec.json.decode(answer.read())
            assert answer.status == 200, told
            assert not told.get("refused"), told

    def story(self, job: JobId, first: int, last: int, parent: JobId | None = None) -> None:
        """The steps of a job from `first` to before `last`, a minute apart; the last of them now."""
        code, events, now = START, [], time.time()
        user = identify(load(self.service.site.proxy.read_bytes()).chain, now).dn
        for index, (source, type, fields) in enumerate(STEPS[:last]):
            code = code.advanced(source)
            more = {"parent": str(parent)} if parent and type == "RegJob" else {}
            events.append(event(type, job, source, code, now - APART_S * (last - 1 - index), "host.example", user,
                                **fields, **more))
        self.log(*events[first:])

    def page(self, job: JobId) -> str:
        return f"{self.address}/{job.unique}"


@pytest.fixture(scope="module")
def books(pattern: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Books]:
    with pattern.copy(tmp_path_factory.mktemp("pages") / "wms") as service:
        service.start("lb")
        host, port = service.addresses()["WMS_LB"].removeprefix("https://").split(":")
        context = client_context(str(service.site.proxy), str(service.site.certificates))
        with Passage(host, int(port), context) as passage:
            yield Books(service, host, int(port), passage.address)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    made = Browser(tmp_path_factory.mktemp("chromium"))
    yield made
    made.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Whatever a test does, nothing may go wrong in the page: no script fails, no policy is hurt."""
    chromium.errors.clear()
    yield chromium
    assert chromium.errors == []


def assert_picture(tab: Tab, path: Path) -> None:
    picture = tab.picture(path)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) > 10_000


def states(tab: Tab) -> list[str]:
    return [text.split(" ")[0] for text in tab.texts("ul.legend li")]


def test_the_page_of_a_job_is_drawn_to_scale(books: Books, browser: Browser, tmp_path: Path) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    with browser.tab(books.page(job)) as tab:
        assert tab.text("h1") == str(job)
        assert tab.text(".state.big") == "Running"
        assert states(tab) == ["Submitted", "Waiting", "Ready", "Scheduled", "Running"]
        submitted, waiting, ready, scheduled, _running = tab.widths("svg.bar rect")
        assert waiting == pytest.approx(2 * submitted, rel=0.05)
        assert [ready, scheduled] == pytest.approx([submitted, 2 * submitted], rel=0.05)
        lefts = tab.edges("svg.axis text")
        assert all(left < right for left, right in pairwise(lefts))
        assert "wn17.example.org" in tab.text("main")
        assert_picture(tab, tmp_path / "job.png")


def test_nothing_that_a_user_wrote_is_run(books: Books, browser: Browser) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    with browser.tab(books.page(job)) as tab:
        assert tab.text("#tags dd") == HOSTILE
        assert tab.value("window.hacked") is None
        assert tab.value("document.querySelectorAll('img').length") == 0


def test_the_page_of_a_job_moves_by_itself(books: Books, browser: Browser) -> None:
    job = books.new_job()
    books.story(job, 0, SCHEDULED)
    with browser.tab(books.page(job)) as tab:
        until(lambda: tab.value("document.documentElement.classList.contains('live')"), "the page to be live")
        assert tab.text(".state.big") == "Scheduled"
        tab.value("window.same = 'page'; document.querySelector('details').open = true")
        books.story(job, SCHEDULED, RUNNING)
        until(lambda: tab.text(".state.big") == "Running", "the page to say Running")
        assert states(tab)[-1] == "Running"
        assert tab.value("document.title").startswith("Running")
        books.story(job, RUNNING, len(STEPS))
        until(lambda: tab.text(".state.big") == "Cleared", "the page to say Cleared")
        until(lambda: not tab.value("document.documentElement.classList.contains('live')"), "the news to end")
        assert tab.value("window.same") == "page"
        assert tab.value("document.querySelector('details').open")


def test_the_histogram_of_a_collection_moves(books: Books, browser: Browser, tmp_path: Path) -> None:
    parent = books.new_job()
    user = identify(load(books.service.site.proxy.read_bytes()).chain, time.time()).dn
    books.log(event("RegJob", parent, Source.NETWORK_SERVER, START.advanced(Source.NETWORK_SERVER), time.time() - 600,
                    "host.example", user, ns="ns.example", jobtype="COLLECTION", nsubjobs=4, seed="WMPROXY"))
    with browser.tab(books.page(parent)) as tab:
        until(lambda: tab.value("document.documentElement.classList.contains('live')"), "the page to be live")
        assert tab.texts("#histogram li") == ["Submitted 4"]
        tab.value("window.same = 'page'")
        books.story(parent.subjob("WMPROXY", 0), 0, RUNNING, parent)
        until(lambda: tab.texts("#histogram li") == ["Submitted 3", "Running 1"], "a child to run")
        until(lambda: tab.text(".state.big") == "Running", "the collection to run")
        submitted, running = until(lambda: _settled(tab), "the bars to come to rest")
        assert submitted == pytest.approx(3 * running, rel=0.05)
        assert tab.value("window.same") == "page"
        assert_picture(tab, tmp_path / "collection.png")


def _settled(tab: Tab) -> list[float]:
    """The widths of the two bars when they have stopped to move."""
    moving = "document.getAnimations().filter(one => one.playState === 'running').length"
    widths = tab.widths("#histogram rect")
    return widths if len(widths) == 2 and not tab.value(moving) else []


@pytest.mark.parametrize(("dark", "width"), [(False, 1200), (True, 1200), (False, 380)])
def test_pages_fit_every_reader(books: Books, browser: Browser, tmp_path: Path, dark: bool, width: int) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    for name, url in {"job": books.page(job), "jobs": books.address, "statistics": f"{books.address}/?stats",
                      "types": f"{books.address}/?types"}.items():
        with browser.tab(url, dark=dark, width=width) as tab:
            assert tab.value("document.documentElement.scrollWidth") <= width, name
            paper = tab.value("getComputedStyle(document.body).backgroundColor")
            assert (int(paper.removeprefix("rgb(").split(",")[0]) < 100) is dark
            assert_picture(tab, tmp_path / f"{name}.png")


def test_lists_and_figures(books: Books, browser: Browser) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    with browser.tab(books.address) as tab:
        assert job.unique in tab.texts("#jobs td:first-child")
    with browser.tab(f"{books.address}/?stats") as tab:
        assert "Running" in " ".join(tab.texts("figcaption"))
        assert any(width > 0 for width in tab.widths("svg.plot rect"))
    with browser.tab(f"{books.address}/?query=status%3DRunning%26owner%3D") as tab:
        assert job.unique in tab.texts("#jobs td:first-child")
    with browser.tab(f"{books.address}/nobody") as tab:
        assert tab.text(".state.big") == "404"
        browser.errors.clear()  # that the answer is a 404 counts as an error


def test_a_form_is_enough(books: Books, browser: Browser) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    with browser.tab(books.address, script=False) as tab:
        tab.value("document.querySelector('#query').value = 'owner=&status=Running'")
        tab.value("document.querySelectorAll('form button')[1].click()")
        until(lambda: tab.text("h1") == "Jobs found", "the answer of the query")
        assert job.unique in tab.texts("#jobs td:first-child")


def test_a_page_is_whole_without_javascript(books: Books, browser: Browser) -> None:
    job = books.new_job()
    books.story(job, 0, RUNNING)
    with browser.tab(books.page(job), script=False) as tab:
        assert tab.text(".state.big") == "Running"
        assert states(tab)[-1] == "Running"
        assert tab.value("document.querySelector('meta[http-equiv=refresh]').content") == "30"
        assert not tab.value("document.documentElement.classList.contains('live')")
