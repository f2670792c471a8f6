"""Operations about computing elements: what is known of them, drain and resume, and the check with a real job."""

from __future__ import annotations

from typing import Any

from wms.operations.row import Operation, Record, ns


class Drained(Record, frozen=True):
    """`ce` gets no new jobs: an id, or the name of a configured CE, which is all its queues. `since` is epoch s."""

    ce: str
    reason: str
    by: str
    since: float


class Measured(Record, frozen=True):
    """What the service saw itself, old jobs counting less: of `jobs` that began there the mean time in the queue and
    what nine of ten stayed below (s); of `ends` that were not the user's doing the part that was good (0 to 1).
    """

    jobs: float = 0.0
    queue_s: float = 0.0
    queue90_s: float = 0.0
    ends: float = 0.0
    success: float = 0.0


class Ce(Record, frozen=True):
    """A queue, or the view of it that some users have. Figures nobody tells are null; times are seconds.

    `state` is Draining while it is drained, `published_state` what its sources say; the same with the time a new job
    would wait. `backend` is the configured CE that runs its jobs, "" for none. `aside`: classes of jobs for which it
    is set aside as it failed them. `expires` is epoch s, 0: never.
    """

    id: str
    backend: str = ""
    queue: str = ""
    state: str = ""
    published_state: str = ""
    slots: int | None = None
    free: int | None = None
    running: int | None = None
    waiting: int | None = None
    response_s: int | None = None
    published_response_s: int | None = None
    measured: Measured | None = None
    source: str = ""
    age_s: float = 0.0
    expires: float = 0.0
    drained: tuple[Drained, ...] = ()
    aside: int = 0


class CeAttribute(Record, frozen=True):
    """`kind` is backend, directory, static, or own: the service itself."""

    name: str
    value: Any
    source: str
    kind: str
    age_s: float


class CeDetail(Record, frozen=True):
    """All attributes with who says them; `health` is how the service gets on with the CE, if it is configured."""

    ce: Ce
    attributes: tuple[CeAttribute, ...] = ()
    health: dict[str, Any] = {}


class CeList(Record, frozen=True):
    """By id; `details` where they were asked for. `drained` are all drains, those of CEs that are unknown now too.

    `silent` are sources that do not answer, and why.
    """

    ces: tuple[Ce, ...]
    details: tuple[CeDetail, ...] = ()
    drained: tuple[Drained, ...] = ()
    silent: dict[str, str] = {}


class DrainRequest(Record, frozen=True):
    ce: str
    reason: str


class ResumeRequest(Record, frozen=True):
    ce: str


class DrainReply(Record, frozen=True):
    """`ces` are the CEs it is about that are known now; `still` is what keeps new jobs away from them, if anything."""

    ce: str
    ces: tuple[str, ...] = ()
    still: tuple[Drained, ...] = ()


class CheckRequest(Record, frozen=True):
    """`ce` is the name of a configured CE; `queue` empty: its first. `delegation`: the caller's credential that the
    test job carries, else a worthless one. `drain`: drain the CE if the check fails.
    """

    ce: str
    queue: str = ""
    delegation: str = ""
    drain: bool = False


class Probe(Record, frozen=True):
    """`result` is ok, fails, or unknown; `took_s` how long it took."""

    name: str
    result: str
    sentence: str
    took_s: float = 0.0


class CheckReport(Record, frozen=True):
    """A check asked at `asked`; `finished` is 0 while it goes on (epoch s). `good`: it has ended and nothing fails."""

    ce: str
    asked: float
    finished: float = 0.0
    probes: tuple[Probe, ...] = ()
    drained: bool = False

    @property
    def good(self) -> bool:
        return bool(self.finished) and all(probe.result != "fails" for probe in self.probes)


ROWS: tuple[Operation, ...] = (
    ns("ces", "GET", "/ces", "user", "The computing elements that are known; `ce` names one (an id, or a configured "
       "CE: all its queues), `full` asks for all attributes.", reply=CeList, query=("ce", "full"), action="match"),
    ns("ce_drain", "POST", "/ces/drain", "admin", "No new jobs go to a computing element; those that are there go on.",
       request=DrainRequest, reply=DrainReply, idempotency_key=True),
    ns("ce_resume", "POST", "/ces/resume", "admin", "A drained computing element gets jobs again.",
       request=ResumeRequest, reply=DrainReply, idempotency_key=True),
    ns("ce_check", "POST", "/ces/check", "admin",
       "Run a test job on a configured computing element and see what works. A check that is under way is joined.",
       request=CheckRequest, reply=CheckReport),
    ns("ce_checked", "GET", "/ces/check", "admin", "How far the check of the computing element `ce` is, or was.",
       reply=CheckReport, query=("ce",)),
)
