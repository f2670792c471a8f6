"""The gate that every remote operation passes: who calls under which name, and whether the policy lets him.

Reads the policy's files again when they change; logs and counts refusals. What is allowed is `wms.authz.policy`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from wms.authz.policy import BUILT_IN, Decision, Policy, Verdict, ban, decide, named, of_dn, reach, superuser
from wms.authz.policy_text import parse_policy
from wms.authz.relations import Reach
from wms.authz.who_text import parse_bans
from wms.config import Settings
from wms.errors import Banned, ConfigError, Draining, Forbidden, LimitedProxy, ScopeMissing, WmsError
from wms.identity import Identity
from wms.operations import Operation

LOOK_S = 1.0
Stamp = tuple[int, int, int]


class _Refusal(NamedTuple):
    error: type[WmsError]
    message: str
    hint: str


REFUSALS: Mapping[Verdict, _Refusal] = {
    Verdict.BANNED: _Refusal(Banned, "You are banned from this service.", "Ask its administrators."),
    Verdict.DRAINING: _Refusal(Draining, "The service takes no new jobs for now; it is temporarily drained.",
                               "Try again later, or at another service."),
    Verdict.SCOPE: _Refusal(ScopeMissing, "The token does not carry the scope {by}.", "Get one with this scope."),
    Verdict.LIMITED: _Refusal(LimitedProxy, "A limited proxy is not enough to {action}.", "Use a full proxy."),
    Verdict.DENIED: _Refusal(Forbidden, "The policy of this service does not let you {action}.",
                             "Ask its administrators."),
    Verdict.NO_RULE: _Refusal(Forbidden, "The policy of this service does not let you {action}.",
                              "Ask its administrators."),
}


class Passed(NamedTuple):
    """Who was let in: whose jobs he may do it with, and whether new things are taken from him."""

    jobs: Reach = Reach.OWN
    drained: bool = False


class Gate:
    """One for a process. `refused` counts by the code of the error."""

    def __init__(self, settings: Settings = Settings(), clock: IReactorTime | None = None,
                 log: Logger = Logger("wms.authz")) -> None:
        """Raises ConfigError with all problems of the policy's files."""
        self._path = settings.policy
        self._super_users = settings.lb.super_users
        self._clock = clock
        self._log = log
        self.refused: Counter[str] = Counter()
        self._loaded = self._read()
        self._looked = self._now()
        self._problem = ""

    @property
    def policy(self) -> Policy:
        """The policy of now; files that cannot be used leave it as it was."""
        if self._path and self._now() - self._looked >= LOOK_S:
            self._looked = self._now()
            if self._problem or self._loaded.changed():
                self._read_again()
        return self._loaded.policy

    def named(self, identity: Identity) -> Identity:
        """The caller under the name of the owner that the policy gives him."""
        return named(self.policy, identity)

    def check(self, operation: Operation, identity: Identity | None, peer: str) -> Passed:
        """Raises Banned, Draining, LimitedProxy, ScopeMissing, Forbidden.

        It does not matter who shows the token of an attempt, nor who asks what anybody may know.
        """
        policy = self.policy
        anybody = operation.right == "attempt" or (operation.right == "anyone" and operation.action == "look")
        found = decide(policy, None if anybody else identity, operation.action, peer)
        if found.verdict is not Verdict.ALLOWED:
            raise self._refusal(found, operation, identity, peer)
        return Passed(found.jobs, policy.drain and not (identity and superuser(policy, identity)))

    def reach(self, identity: Identity, action: str) -> Reach:
        """Whose jobs, wherever he calls from; OWN too for somebody who may not do it at all."""
        return reach(self.policy, identity, action)

    def superuser(self, identity: Identity) -> bool:
        return bool(superuser(self.policy, identity))

    def banned(self, identity: Identity) -> bool:
        return bool(ban(self.policy, identity))

    def _refusal(self, found: Decision, operation: Operation, who: Identity | None, peer: str) -> WmsError:
        kind, message, hint = REFUSALS[found.verdict]
        self.refused[kind.code] += 1
        caller = who.dn if who else ""
        self._log.warn(
            "{caller} may not {action}: {rule}", caller=caller or "who shows no credential", action=operation.action,
            rule=f"{found.verdict} {found.by}".rstrip(), operation=operation.name, code=kind.code, peer=peer or "-",
            credential=who.credential_name if who else "", kind=who.kind if who else "")
        return kind(message.format(action=operation.action, by=found.by), hint=hint, action=operation.action,
                    caller=caller)

    # -- files -------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return self._clock.seconds() if self._clock else 0.0

    def _read(self) -> Loaded:
        found = load(self._path) if self._path else Loaded(Policy(BUILT_IN), {})
        always = tuple(of_dn(dn, "lb.super_users") for dn in self._super_users)
        return found._replace(policy=replace(found.policy, superusers=(*found.policy.superusers, *always)))

    def _read_again(self) -> None:
        """What is wrong is said once."""
        try:
            self._loaded, self._problem = self._read(), ""
        except ConfigError as error:
            if error.message != self._problem:
                self._log.error("the policy stays as it was: {problems}", problems=error.message)
            self._problem = error.message
        else:
            self._log.info("the policy was read again from {path}", path=self._path)


class Loaded(NamedTuple):
    """A policy with the lists of the banned that it names; `stamps` of its files from before they were read."""

    policy: Policy
    stamps: Mapping[Path, Stamp | None]

    def changed(self) -> bool:
        return any(_stamp(path) != stamp for path, stamp in self.stamps.items())


def load(path: str) -> Loaded:
    """Ban lists with a relative name lie beside the policy. Raises ConfigError with all problems of a file."""
    main = Path(path)
    stamps = {main: _stamp(main)}
    found = parse_policy(_text(main), path)
    files = [main.parent / file for file in found.ban_files]
    stamps |= {file: _stamp(file) for file in files}
    lists = [parse_bans(_text(file), str(file)) for file in files]
    return Loaded(replace(found, bans=(*found.bans, *(one for banned in lists for one in banned))), stamps)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError(f"{path}: cannot be read: {why}") from error


def _stamp(path: Path) -> Stamp | None:
    """What changes when a file is replaced or written; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
