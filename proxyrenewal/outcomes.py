"""What became of a credential whose time had come: the next state of its registration, and who is told.

`settled` decides; `commit` writes the outcomes of many in one transaction. Files have been replaced before.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec
import sqlalchemy as sa

from proxyrenewal import store
from proxyrenewal.kinds import Failed, Fresh
from proxyrenewal.schedule import (
    HOPELESS,
    Policy,
    Step,
    after_failure,
    after_success,
    is_over,
    is_warning_due,
    next_word,
    step,
)
from proxyrenewal.store import Registration
from wms.event import Event
from wms.eventlog import Journal
from wms.messages.credentials import CredentialEnded, ProxyRenewed
from wms.messages.topics import JOBADAPTER, NS, WM
from wms.outbox import Outbox
from wms.seqcode import START, Source

PORTION = 500
"""So many jobs of one credential are told of in one transaction."""
TAG = "proxy_renewal"


class Superseded:
    """While it was renewed, somebody else put another credential in its place."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`entry` as it was when the work began becomes `new`; its jobs behind `after` are told `word`, if there is one.

    `ended`: the reason why it is given up.
    """

    entry: Registration
    new: Registration
    word: str = ""
    after: str = ""
    renewed: bool = False
    ended: str = ""


def settled(entry: Registration, answer: Fresh | Failed | Superseded, now: float, rng: random.Random,
            policy: Policy) -> Outcome:
    """What an attempt at renewal leads to."""
    match answer:
        case Fresh():
            new = msgspec.structs.replace(entry, not_after=answer.not_after, begins=now, failures=0, last_error="",
                                          warned=0.0, renewals=entry.renewals + 1)
            new = msgspec.structs.replace(new, next_try=after_success(new.life, now, rng, policy))
            word = f"renewed: the credential ends {moment(answer.not_after)}" if entry.warned else ""
            return Outcome(entry, new, word, renewed=True)
        case Failed():
            return _failed(entry, answer, now, rng, policy)
        case Superseded():
            return Outcome(entry, msgspec.structs.replace(entry, next_try=now + policy.first_retry_s))


def _failed(entry: Registration, answer: Failed, now: float, rng: random.Random, policy: Policy) -> Outcome:
    new = msgspec.structs.replace(entry, failures=HOPELESS if answer.final else entry.failures + 1,
                                  last_error=answer.error)
    if is_over(new.life, now, policy):
        return Outcome(entry, new, ended=end_reason(new))
    after = after_failure(new.life, now, rng, policy)
    new = msgspec.structs.replace(new, next_try=after.at, warned=now if after.warn else new.warned)
    return Outcome(entry, new, warning(new) if after.warn else "")


def unattempted(entry: Registration, now: float, policy: Policy) -> Outcome | None:
    """What the time leads to where nothing is tried; None: a renewal is to be tried."""
    match step(entry.life, now, policy):
        case Step.RENEW:
            return None
        case Step.END:
            return Outcome(entry, entry, ended=end_reason(entry))
        case Step.WARN | Step.WAIT:
            warn = is_warning_due(entry.life, now, policy)
            new = msgspec.structs.replace(entry, next_try=next_word(entry.life, now, policy),
                                          warned=now if warn else entry.warned)
            return Outcome(entry, new, warning(new) if warn else "")


def warning(entry: Registration) -> str:
    """For the owner, on each of his jobs."""
    what = "cannot be renewed" if entry.failures == HOPELESS else "failed"
    return f"{what}: {entry.last_error}; the credential ends {moment(entry.not_after)}"


def end_reason(entry: Registration) -> str:
    """Why jobs end with their credential, in a sentence."""
    ended = f"the credential of the job ended {moment(entry.not_after)}"
    if entry.failures == HOPELESS:
        return f"{ended} and could not be renewed: {entry.last_error}"
    if not entry.failures:
        return f"{ended}; nobody tried to renew it in time"
    return f"{ended}; its renewal failed {entry.failures} times, the last time with: {entry.last_error}"


def moment(at: float) -> str:
    return datetime.fromtimestamp(at // 1, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


# -- in a transaction ------------------------------------------------------------------------------------


def commit(conn: sa.Connection, outcomes: Sequence[Outcome], now: float, host: str) -> list[Outcome]:
    """Write outcomes and tell whom they concern. Those of credentials that were unregistered, destroyed or delegated
    anew meanwhile come to nothing; the others are returned.
    """
    known = store.current(conn, [outcome.entry.credential for outcome in outcomes])
    valid = [outcome for outcome in outcomes if (entry := known.get(outcome.entry.credential)) is not None
             and entry.is_life_of(outcome.entry)]
    store.save(conn, [outcome.new for outcome in valid if not outcome.ended])
    jobs = store.jobs_of_all(conn, [o.entry.credential for o in valid if o.renewed or o.word])
    with Outbox(conn, now) as out:
        for outcome in valid:
            mine = jobs.get(outcome.entry.credential, [])
            if outcome.renewed:
                tell_renewed(out, outcome.new, mine, NS, JOBADAPTER)
            if outcome.word:
                out.log(tags([job for job in mine if job > outcome.after], outcome.new.owner, outcome.word, now, host))
            if outcome.ended:
                _end(out, outcome)
    return valid


def tell_renewed(out: Outbox, entry: Registration, jobs: Sequence[str], *topics: str) -> None:
    for topic in topics:
        out.send(topic, ProxyRenewed(entry.credential, tuple(jobs), entry.not_after, entry.kind))


def _end(out: Outbox, outcome: Outcome) -> None:
    """A portion of its jobs; while there are more, its time has come again at once."""
    jobs = store.release(out.conn, outcome.entry.credential, PORTION)
    if jobs:
        out.send(WM, CredentialEnded(outcome.entry.credential, tuple(jobs), outcome.ended))


def tell_portion(conn: sa.Connection, outcome: Outcome, now: float, host: str) -> str:
    """Tell the next PORTION of jobs if there are more than that; the last one told, empty: the rest is for `commit`."""
    jobs = store.jobs_of(conn, outcome.entry.credential, outcome.after, PORTION + 1)
    if len(jobs) <= PORTION:
        return ""
    with Outbox(conn, now) as out:
        out.log(tags(jobs[:PORTION], outcome.new.owner, outcome.word, now, host))
    return jobs[PORTION - 1]


def tags(jobs: Sequence[str], owner: str, word: str, now: float, host: str) -> list[Event]:
    """One tag a job, so that its owner sees it in the status."""
    events: list[Event] = []
    for job in jobs:
        journal = Journal(Source.APPLICATION, job, str(START), now, host, owner)
        journal.add("UserTag", name=TAG, value=word)
        events += journal.events
    return events
