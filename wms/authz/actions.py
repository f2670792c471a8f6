"""What callers do, as the policy speaks of it: a table of actions, and the scope that a token needs for each.

Each remote operation names its action in the table of operations. Scopes: WLCG profile 1.3, compute.*.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

READ, MODIFY, CREATE, CANCEL = "compute.read", "compute.modify", "compute.create", "compute.cancel"


class Action(NamedTuple):
    """`scope` empty: any token will do."""

    about: str
    scope: str = ""


ACTIONS: Mapping[str, Action] = {
    "look": Action("ask what the service is"),
    "submit": Action("register and start jobs, upload their files", CREATE),
    "delegate": Action("delegate a credential, renew and destroy it", CREATE),
    "match": Action("ask where a job could run", READ),
    "read": Action("see states, events, lists", READ),
    "fetch": Action("get output", READ),
    "clear": Action("give a sandbox back", MODIFY),
    "modify": Action("talk to a running job, look at its files", MODIFY),
    "cancel": Action("cancel jobs", CANCEL),
    "notify": Action("have news sent", READ),
    "statistics": Action("see figures of the service", READ),
    "log": Action("log events", MODIFY),
    "purge": Action("forget old jobs", MODIFY),
    "administer": Action("dump, load and look after the service", MODIFY),
    "attempt": Action("act for an attempt of a job, with its capability token"),
}
