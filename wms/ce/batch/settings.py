"""Settings of a CE that is a batch system, as they stand in the configuration under its name.

Not here: what they mean to it (backend), where its commands are run (wms.ce.hosts.settings).
"""

from __future__ import annotations

from wms.ce.accounts import AccountSettings
from wms.ce.hosts.settings import HostSettings

__all__ = ["BatchSettings"]


class BatchSettings(HostSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of one batch system.

    `spool` is a directory under the same name on the submission host and the worker nodes. `queues`: those that are
    offered, none: all that the system shows. `cluster` is one of several that the commands know; another
    configuration of them goes into `environment`. `accounts`: whose jobs run as whom, which `become` must allow.
    `options` are added to each submission. `job_environment` is what payloads have beside what the system gives them.
    `timeout_s` of one command; `fresh_s`: how old a list of jobs may be when it is used again, twenty times that for
    counting jobs of queues; `at_most`: jobs handed over by one command.
    """

    backend: str
    spool: str
    host: str = ""
    accounts: AccountSettings = AccountSettings()
    queues: list[str] = []
    cluster: str = ""
    options: list[str] = []
    job_environment: dict[str, str] = {}
    tags: list[str] = []
    access_rules: list[str] = []
    max_running: int = 0
    timeout_s: float = 60.0
    fresh_s: float = 1.0
    at_most: int = 50
