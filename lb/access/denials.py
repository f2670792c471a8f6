"""The gate of the server: its policy, read again when its file changes, and every refusal logged and counted.

What is permitted is decided in lb.access.rights; this knows the file, the caller's name for the log, and the salt.
"""

from __future__ import annotations

import hmac
from collections import Counter
from pathlib import Path

from lb.access.policy import parse_policy
from lb.access.rights import BUILT_IN, Action, Owned, Policy, Rules, View, policy_of, shown, view
from wms.errors import ConfigError, NotAuthorized, NotPermitted, WmsError
from wms.identity import Identity, same_dn
from wms.jobstatus import JobStatus
from wms.service import Kit
from wms.x509.proxy import certificates
from wms.x509.rfc3820 import subject_dn

LOOK_S = 1.0
READ = "READ"
"""The counter of refusals to show a job; the others are called after their actions."""
Stamp = tuple[int, int, int]


class Gate:
    """One for a daemon. `counts` are the refusals since it was made, by action; `salt` hides names."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._path = kit.settings.lb.policy
        self.server = host_dn(kit.settings.tls.certificate)
        self.salt = hmac.digest(kit.secret, b"names in answers of lb", "sha256")
        self.counts: Counter[str] = Counter()
        self._stamp = _stamp(self._path)
        self._looked = kit.now()
        self._policy = self._made(_read(self._path) if self._path else BUILT_IN)

    @property
    def policy(self) -> Policy:
        """The policy of now; a file that cannot be used leaves it as it was."""
        now = self._kit.now()
        if self._path and now - self._looked >= LOOK_S:
            self._looked = now
            if (stamp := _stamp(self._path)) != self._stamp:
                self._stamp = stamp
                self._read_again()
        return self._policy

    def permits(self, action: Action, who: Identity) -> bool:
        return self.policy.permits(action, who)

    def require(self, action: Action, who: Identity, job: str = "") -> None:
        """Raises NotPermitted, after it is logged and counted, unless the caller may do this."""
        if not self.permits(action, who):
            self.denied(action, who.dn, job)
            raise NotPermitted(f"The policy of this server does not grant you {action}.", action=str(action),
                               caller=who.dn, hint="Ask its administrators.")

    def view(self, who: Identity, status: Owned) -> View:
        """How much of a job the caller sees; NONE is no refusal yet."""
        return view(self.policy, who, status)

    def shown(self, who: Identity, status: JobStatus) -> JobStatus | None:
        """What the caller sees of a job, None for nothing: for lists, which leave it out."""
        seen = self.view(who, status)
        return None if seen is View.NONE else shown(status, seen, self.salt)

    def readable(self, who: Identity, status: JobStatus) -> JobStatus:
        """What the caller sees of a job; raises NotAuthorized, logged and counted, for nothing."""
        found = self.shown(who, status)
        if found is None:
            raise self.refusal(who, status.job_id)
        return found

    def refusal(self, who: Identity, job: str) -> NotAuthorized:
        """The error for a job that the caller may not read, logged and counted."""
        self.denied(READ, who.dn, job)
        return NotAuthorized("This job belongs to somebody else.", caller=who.dn,
                             hint="Use the credential with which the job was submitted, or ask its owner for access.")

    def denied(self, action: str, caller: str, job: str, number: int = 1) -> None:
        """Log and count refusals of one thing."""
        self.counts[str(action)] += number
        self._kit.log.warn("{caller} may not {action} {job}", caller=caller, action=str(action), job=job, number=number)

    def is_server(self, who: Identity) -> bool:
        """Is the caller this host itself?"""
        return bool(self.server) and same_dn(who.dn, self.server)

    def _made(self, rules: Rules) -> Policy:
        return policy_of(rules, self.server, self._kit.settings.lb.super_users, self._kit.gate)

    def _read_again(self) -> None:
        try:
            self._policy = self._made(_read(self._path))
        except ConfigError as error:
            self._kit.log.error("the policy stays as it was: {problems}", problems=error.message)
        else:
            self._kit.log.info("the policy was read again from {path}", path=self._path)


def host_dn(path: str) -> str:
    """The DN of the host certificate; "" where there is none."""
    try:
        return subject_dn(certificates(Path(path).read_bytes())[0].subject)
    except (OSError, WmsError):
        return ""


def _read(path: str) -> Rules:
    try:
        return parse_policy(Path(path).read_text(encoding="utf-8"), path)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error


def _stamp(path: str) -> Stamp | None:
    """What changes when a file is replaced or written; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
