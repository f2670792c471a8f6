"""What callers do, as the policy speaks of it: a table of actions, and what a credential must be good for in each.

Each remote operation names its action in the table of operations. Scopes: WLCG profile 1.3, compute.*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

READ, MODIFY, CREATE, CANCEL = "compute.read", "compute.modify", "compute.create", "compute.cancel"
COMPUTE = "compute."


class Action(NamedTuple):
    """`scope` empty: any token will do. `full`: a limited proxy will not. `others`: a rule may extend it to jobs of
    other owners; what is done with the owner's credentials never is.
    """

    about: str
    scope: str = ""
    full: bool = False
    others: bool = False


ACTIONS: Mapping[str, Action] = {
    "look": Action("ask what the service is"),
    "submit": Action("register and start jobs, upload their files", CREATE, full=True),
    "delegate": Action("delegate a credential, renew and destroy it", CREATE, full=True),
    "match": Action("ask where a job could run", READ),
    "read": Action("see states, events, lists", READ, others=True),
    "fetch": Action("get output", READ, others=True),
    "clear": Action("give a sandbox back", MODIFY, others=True),
    "modify": Action("talk to a running job, look at its files", MODIFY, others=True),
    "cancel": Action("cancel jobs", CANCEL, others=True),
    "notify": Action("have news sent", READ),
    "statistics": Action("see figures of the service", READ),
    "log": Action("log events", MODIFY),
    "purge": Action("forget old jobs", MODIFY),
    "administer": Action("dump, load and look after the service", MODIFY, full=True),
    "attempt": Action("act for an attempt of a job, with its capability token"),
}
