"""One transaction of the Workload Manager: what it says, and the jobs that are over with it.

The only place where a job ends here; followers learn of all ends of a transaction at once, before its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, TypeAlias

import sqlalchemy as sa

from wm import store
from wms.eventlog import Journal
from wms.faults import owned
from wms.messages.attempts import Ended
from wms.messages.topics import NS
from wms.outbox import Outbox
from wms.seqcode import Source


class Over(NamedTuple):
    """A job as it was before its end, and the outcome: Done, Aborted or Cancelled."""

    job: store.Job
    outcome: str
    reason: str


Follower: TypeAlias = "Callable[[Outbox, Sequence[Over]], None]"
"""Called in the transaction in which these jobs end, once for all."""


class Turn:
    """`out` says and sends; a job is ended by `abort`, `end_cancelled` or `finish`."""

    def __init__(self, out: Outbox, host: str) -> None:
        self.out = out
        self.over: list[Over] = []
        self._host = host

    def journal(self, job: str, code: str, user: str) -> Journal:
        return Journal(Source.WORKLOAD_MANAGER, job, code, self.out.now, self._host, user)

    def abort(self, job: store.Job, journal: Journal, reason: str, failure: str = "") -> None:
        """The WMS gives up, if it was for a `failure`: that has an owner."""
        journal.add("Abort", reason=reason, **owned(failure))
        self._tell(job, journal, "Aborted", reason)

    def end_cancelled(self, job: store.Job, journal: Journal) -> None:
        """No attempt is alive any more: the cancellation is complete."""
        journal.add("Cancel", status_code="DONE", reason="Cancelled by user")
        self._tell(job, journal, "Cancelled", "Cancelled by user")

    def finish(self, job: store.Job, outcome: str) -> None:
        """The Log Monitor saw the end and told everybody else."""
        store.change(self.out.conn, job.id, phase=store.OVER, due=self.out.now, reason=outcome)
        self.over.append(Over(job, outcome, outcome))

    def _tell(self, job: store.Job, journal: Journal, outcome: str, reason: str) -> None:
        submit = job.request()
        attempt = job.attempt if job.phase == store.PLACED else job.attempt - 1
        store.change(self.out.conn, job.id, phase=store.OVER, due=self.out.now, reason=reason,
                     sequence_code=journal.code)
        self.out.log(journal.events)
        self.out.send(NS, Ended(submit.job, attempt, outcome, reason), submit.job)
        self.over.append(Over(job, outcome, reason))


class Turns:
    """Begins turns: `followers` are called at the end of each in which a job ended."""

    def __init__(self, host: str, followers: Sequence[Follower] = ()) -> None:
        self._host = host
        self._followers = followers

    @contextmanager
    def begin(self, conn: sa.Connection, now: float) -> Iterator[Turn]:
        with Outbox(conn, now) as out:
            turn = Turn(out, self._host)
            yield turn
            for follower in self._followers if turn.over else ():
                follower(out, turn.over)
