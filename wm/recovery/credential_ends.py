"""What becomes of jobs whose credential has ended and was not renewed: each ends once, Aborted with that reason.

A job that waits ends here. What is at a computing element ends at the Log Monitor, which decides about ends of
attempts: one that has ended there meanwhile has ended, and nothing of this is told.
"""

from __future__ import annotations

from wm import store
from wm.compounds import store as compounds
from wm.recovery.credentials import Credentials
from wm.turn import Turn
from wms.faults import Fault, judge
from wms.messages.attempts import GivenUp
from wms.messages.credentials import CredentialEnded
from wms.messages.topics import LOGMONITOR, WM

PORTION = 500
"""Nodes of a compound in one transaction."""
UNFOLDING_S = 5.0
"""A compound that is being unfolded is looked at again after this."""


class CredentialEnds:
    """Handler of CredentialEnded."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def handle(self, turn: Turn, message: CredentialEnded) -> None:
        """Nothing happens if the file says by now that the credential goes on: it was delegated anew."""
        seen = self._credentials.look(message.credential, turn.out.now)
        if seen.ends > turn.out.now:
            return
        reason = worded(message.reason, seen.what if seen.ends else "credential")
        for url in message.jobs:
            job = store.find(turn.out.conn, url)
            if job is not None:
                _end(turn, job, reason)
            else:
                _end_compound(turn, message, url, reason)


def worded(reason: str, what: str) -> str:
    """The reason in words that say whose fault it is: so it is told everywhere in the same way."""
    return reason if judge(reason).owner is Fault.CREDENTIAL else f"{what} expired: {reason}".rstrip(": ")


def _end(turn: Turn, job: store.Job, reason: str) -> None:
    submit = job.request()
    if job.phase == store.WAITING:
        turn.abort(job, turn.journal(submit.job, job.sequence_code, submit.owner), reason)
    elif job.phase == store.PLACED and not job.cancelled:
        turn.out.send(LOGMONITOR, GivenUp(submit.job, job.attempt, reason, job.sequence_code), submit.job)


def _end_compound(turn: Turn, message: CredentialEnded, url: str, reason: str) -> None:
    """What was not released will not be; its jobs end, a portion at a time."""
    conn = turn.out.conn
    row = compounds.find(conn, url.rsplit("/", 1)[-1])
    if row is None or row.phase in (compounds.CANCELLING, compounds.OVER):
        return
    if row.phase == compounds.UNFOLDING:
        turn.out.send(WM, CredentialEnded(message.credential, (url,), message.reason), url, delay_s=UNFOLDING_S)
        return
    if not row.reason:
        compounds.change(conn, row.id, reason=reason)
        compounds.touch(conn, [row.id], turn.out.now)
    nodes = compounds.living(conn, row.id, message.after, PORTION)
    for job in nodes:
        _end(turn, job, reason)
    if len(nodes) == PORTION:
        turn.out.send(WM, CredentialEnded(message.credential, (url,), message.reason, nodes[-1].node), url)
