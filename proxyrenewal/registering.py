"""What the Network Server tells: which job needs which credential, and what its owner did with it.

One transaction a batch; when anything is renewed is `schedule`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from proxyrenewal import store
from proxyrenewal.kinds import FILES
from proxyrenewal.outcomes import moment, tags, tell_renewed
from proxyrenewal.schedule import HOPELESS, Life, Policy, first_attempt
from proxyrenewal.store import TAKEN_BACK, Registration
from wms.identity import TOKEN
from wms.messages import decode
from wms.messages.credentials import Destroyed, Redelegated, Register, Unregister
from wms.messages.topics import JOBADAPTER
from wms.outbox import Outbox
from wms.queue import Message
from wms.service import Kit

Wanted = dict[tuple[str, str, float], tuple[Registration, list[str]]]
"""(credential, server, its end) -> what is to be registered, and the jobs that asked for just that."""


class Registrations:
    """Handles the messages of the topic."""

    def __init__(self, kit: Kit, policy: Policy) -> None:
        self._kit = kit
        self._policy = policy

    def handle(self, conn: sa.Connection, messages: Sequence[Message], now: float) -> None:
        wanted: Wanted = {}
        over: list[str] = []
        for message in messages:
            asked = decode(message.body)
            if isinstance(asked, Unregister):
                self._flush(conn, wanted)
                over.append(asked.job)
                continue
            self._forget(conn, over)
            if isinstance(asked, Register):
                same = asked.credential, asked.myproxy, asked.not_after
                wanted.setdefault(same, (self._entry(asked, now), []))[1].append(asked.job)
                continue
            self._flush(conn, wanted)
            match asked:
                case Redelegated():
                    self._redelegated(conn, asked, now)
                case Destroyed(credential=credential):
                    self._destroyed(conn, credential, now)
                case other:
                    raise TypeError(f"Proxy Renewal does not take {type(other).__name__}")
        self._forget(conn, over)
        self._flush(conn, wanted)

    @staticmethod
    def _forget(conn: sa.Connection, over: list[str]) -> None:
        if over:
            store.unregister(conn, over)
            over.clear()

    @staticmethod
    def _flush(conn: sa.Connection, wanted: Wanted) -> None:
        for entry, jobs in wanted.values():
            store.register(conn, entry, jobs)
        wanted.clear()

    def _entry(self, asked: Register, now: float) -> Registration:
        """Its life counts from now on; that of a token, whose half is asked for, from its beginning."""
        life = Life(asked.kind, _begins(asked.kind, asked.begins, now), asked.not_after)
        server = _issuer(asked.owner) if asked.kind == TOKEN else asked.myproxy
        return Registration(asked.credential, str(self._kit.credentials.path(asked.credential, FILES[asked.kind])),
                            asked.owner, server, asked.not_after,
                            first_attempt(life, now, self._kit.rng, self._policy), kind=asked.kind, begins=life.begins)

    def _redelegated(self, conn: sa.Connection, told: Redelegated, now: float) -> None:
        """A new life, whatever became of the old one; the jobs that run get it."""
        known = store.find(conn, told.credential)
        if known is None:
            return
        life = Life(known.kind, _begins(known.kind, told.begins, now), told.not_after)
        new = msgspec.structs.replace(known, not_after=told.not_after, begins=life.begins, failures=0, last_error="",
                                      warned=0.0, next_try=first_attempt(life, now, self._kit.rng, self._policy))
        store.save(conn, [new])
        jobs = store.jobs_of(conn, told.credential)
        with Outbox(conn, now) as out:
            tell_renewed(out, new, jobs, JOBADAPTER)
            if known.warned:
                word = f"delegated anew: the credential ends {moment(told.not_after)}"
                out.log(tags(jobs, known.owner, word, now, self._kit.host))

    @staticmethod
    def _destroyed(conn: sa.Connection, credential: str, now: float) -> None:
        """Kept for its jobs, who are warned at once and end with it, until its owner delegates it anew."""
        known = store.find(conn, credential)
        if known is not None:
            store.save(conn, [msgspec.structs.replace(known, failures=HOPELESS, last_error=TAKEN_BACK, warned=0.0,
                                                      next_try=now)])


def _begins(kind: str, begins: float, now: float) -> float:
    return begins or now if kind == TOKEN else now


def _issuer(owner: str) -> str:
    """Of a token's subject (`sub:ISSUER#SUBJECT`), so that an issuer who is silent holds up nobody else."""
    return owner.removeprefix("sub:").partition("#")[0] if owner.startswith("sub:") else TOKEN
