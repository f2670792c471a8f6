"""What is to be done about an attempt, and what became of it."""

from __future__ import annotations

from wms.messages.record import Record
from wms.messages.submission import Input
from wms.operations import OutcomeReport


class Run(Record, frozen=True):
    """Make the wrapper of this attempt and submit it to `ce` of `backend`.

    `tries` were in vain; `returned` is when the job was last offered to be matched again (epoch s, 0: never).
    """

    job: str
    attempt: int
    jdl: str
    ce: str
    backend: str
    queue: str
    credential: str
    sequence_code: str
    files: tuple[Input, ...] = ()
    tries: int = 0
    broker_info: str = ""
    owner: str = ""
    vo: str = ""
    fqans: tuple[str, ...] = ()
    returned: float = 0.0


class Kill(Record, frozen=True):
    """`tries` found the CE silent."""

    job: str
    attempt: int
    tries: int = 0


class Clean(Record, frozen=True):
    """The attempt is over for good: the CE may forget it. `tries` as above."""

    job: str
    attempt: int
    tries: int = 0


class Watch(Record, frozen=True):
    """Observe this submission until it ends."""

    job: str
    attempt: int
    backend: str
    ce: str
    token: str
    handle: str
    sequence_code: str


class Reported(Record, frozen=True):
    """What the wrapper itself said of its end, through the Network Server."""

    job: str
    attempt: int
    outcome: OutcomeReport


class CancelAsked(Record, frozen=True):
    """The user wants this job gone: an end of its attempt is a cancellation."""

    job: str
    attempt: int


class Withdrawn(Record, frozen=True):
    """The attempt was taken back: whatever becomes of it at the CE is nobody's end."""

    job: str
    attempt: int


class GivenUp(Record, frozen=True):
    """The attempt is to fail now for this reason, which no other attempt can help; one that has ended has ended."""

    job: str
    attempt: int
    reason: str
    sequence_code: str


class NotPlaced(Record, frozen=True):
    """The Job Adapter could not hand the attempt to the CE; `retry` is False when another cannot help."""

    job: str
    attempt: int
    ce: str
    reason: str
    sequence_code: str
    retry: bool = True


class Release(Record, frozen=True):
    """Make these nodes of a compound jobs of their own, for `ce` if given; the answer is SubmitNodes to the WM."""

    job: str
    nodes: tuple[int, ...]
    ce: str = ""


class Close(Record, frozen=True):
    """No payload of this attempt may start from now on; the answer is a Resubmit to the WM.

    With `replan` nothing happens, and there is no answer, if one has started. `untaken` is for the answer.
    """

    job: str
    attempt: int
    reason: str
    sequence_code: str
    retry: bool = True
    replan: bool = False
    untaken: bool = False


class Ended(Record, frozen=True):
    """The job is over: Done, Aborted or Cancelled, with the attempt whose output counts (0 none).

    `since` is when it could not be told for the first time (epoch s; 0: it never was in vain).
    """

    job: str
    attempt: int
    outcome: str
    reason: str = ""
    since: float = 0.0


Message = (Run | Kill | Clean | Watch | Reported | CancelAsked | Withdrawn | GivenUp | NotPlaced | Release | Close |
           Ended)
