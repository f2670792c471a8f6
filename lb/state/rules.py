"""The form of a rule of the state table, and the rules that have no effect.

What each event does is in the tables (`lb.state.transitions`, `lb.state.middleware`); who obeys them is
`lb.state.machine`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from wms.jobstatus import JobState

ANY = "*"


class Verdict(StrEnum):
    """What became of an event: only OK may move the state."""

    OK = "OK"
    LATE = "LATE"
    IGNORED = "IGNORED"
    SUSPECT = "SUSPECT"
    UNREGISTERED = "UNREGISTERED"


class Rule(NamedTuple):
    """`state` is the new state (None: as it was); `moves` names the parts of the record that only an accepted
    event may change, `tells` those that also a late or ignored one changes.
    """

    state: JobState | None = None
    moves: str = ""
    tells: str = ""
    verdict: Verdict = Verdict.OK  # IGNORED: may only tell; SUSPECT: not this source's business
    needs: str = ""  # a condition without which the event is SUSPECT
    late_when_running: bool = False  # Running and Done win: an earlier stage was merely reported late
    late_in_attempt: bool = False  # the same, but only for the attempt that runs or is done
    never_late: bool = False
    after_failure: bool = False  # the elected attempt is no obstacle once it has failed
    wrapper_may_follow: bool = False  # events of the wrapper with a lower LM counter still count
    keeps_clock: bool = False  # does not move the job's last sequence code
    computed: bool = False  # the state its children give a collection: late only when its own one is settled


SUSPECT = Rule(verdict=Verdict.SUSPECT)
IGNORED = Rule(verdict=Verdict.IGNORED)
STORED = Rule()  # tells only that the job was seen alive
ASIDE = Rule(keeps_clock=True)  # the same, said by users: no component was at work
COMPUTED = Rule(None, "named_state", "collection_clock", needs="state_name", computed=True, keeps_clock=True)

Key = tuple[str, str, str]
Table = Mapping[Key, Rule]
