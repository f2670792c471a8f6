"""Submitting at one Network Server: register, delegate when asked to, upload what is wanted, start.

A job that got an id but was not started is never reported as submitted. Which server: `clients.api`.
"""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from clients.credential import TOKEN
from clients.errors import ArgumentWrong, NotStarted
from clients.files import LocalFile
from clients.transport import Connection
from wms.errors import DelegationNeeded, RemoteError, SandboxFileMissing, TimedOut, WmsError
from wms.jobid import JobId
from wms.operations import OPERATIONS, DelegationChain, DelegationInfo, File, Registered, RegisterRequest
from wms.operations.delegations import TokenDelegation

if TYPE_CHECKING:
    from clients.preparing import Prepared
    from wms.jdl.compounds import Compound

T = TypeVar("T")

DELEGATION_TRIES = 3
MOST_CHILDREN = 10_000
"""A compound of more nodes is named by its own identifier alone."""


_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


class Made(Enum):
    """When a delegation is made: if the service asks for it, before anything else, or by the user beforehand."""

    WHEN_ASKED = "when asked"
    NOW = "now"
    BEFORE = "before"


@dataclass(frozen=True, slots=True)
class Delegation:
    """Under which name a job's credential is, and when it is made. Without a name: that of the credential."""

    name: str = ""
    made: Made = Made.WHEN_ASKED

    @classmethod
    def anew(cls) -> Delegation:
        """Under a name that nothing else has."""
        return cls(secrets.token_hex(16), Made.NOW)

    @classmethod
    def named(cls, name: str) -> Delegation:
        """One that is there; raises ArgumentWrong."""
        return cls(checked_name(name), Made.BEFORE)

    def act(self, ns: Connection, act: Callable[[], T]) -> T:
        """Do what needs the delegation."""
        if self.made is Made.WHEN_ASKED:
            return delegated(ns, act)
        if self.made is Made.NOW:
            delegate(ns, self.name)
        return act()


def checked_name(name: str) -> str:
    """The name of a delegation; ArgumentWrong when it cannot be one."""
    if _NAME.fullmatch(name) is None:
        raise ArgumentWrong(f"not the name of a delegation: {name!r}",
                            hint="1 to 128 letters, digits, '.', '_' and '-'.")
    return name


@dataclass(frozen=True, slots=True)
class Submission:
    """A started job; `warnings` are sentences for the user."""

    job: str
    endpoint: str
    warnings: tuple[str, ...] = ()


def request(prepared: Prepared, delegation: str) -> RegisterRequest:
    """What is registered; without files the job is started in the same call. Reads the files' checksums."""
    files = tuple(file.record() for file in prepared.files)
    return RegisterRequest(prepared.jdl, delegation, prepared.vo, files, start=not files)


def children(job: str, compound: Compound) -> dict[str, str]:
    """Identifiers of the nodes of a compound by name; empty when they are more than MOST_CHILDREN."""
    parent = JobId.parse(job)
    count = compound.number if compound.number <= MOST_CHILDREN else 0
    return {compound.name(index): str(parent.subjob(None, index)) for index in range(count)}


def send(ns: Connection, wanted: RegisterRequest, files: Sequence[LocalFile], warnings: tuple[str, ...] = (),
         delegation: Delegation | None = None) -> Submission:
    """Submit. Raises NotStarted, which names the job, when it stopped after the registration."""
    registered = _register(ns, wanted, delegation or Delegation())
    if not wanted.start:
        _upload(ns, registered, files, wanted.files)
        _start(ns, registered.job)
    news = (said for said in registered.warnings if not any(own.endswith(f": {said}") for own in warnings))
    return Submission(registered.job, f"https://{ns.place}", (*warnings, *news))


def _register(ns: Connection, wanted: RegisterRequest, delegation: Delegation) -> Registered:
    key = uuid4().hex
    reply: Registered = delegation.act(ns, lambda: ns.call(OPERATIONS["ns.register"], wanted, key=key))
    return reply


def delegated(ns: Connection, act: Callable[[], T]) -> T:
    """Act; when the service has no usable delegation of ours: delegate, and act again. Acting twice does no harm."""
    for tries_left in reversed(range(DELEGATION_TRIES)):
        try:
            return act()
        except RemoteError as refused:
            if refused.code != DelegationNeeded.code or not tries_left:
                raise
        delegate(ns, tolerant=tries_left > 1)
    raise AssertionError("the last try returns or raises")


def delegate(ns: Connection, name: str = "", *, tolerant: bool = False) -> DelegationInfo | None:
    """One delegation of the credential, of whichever kind it is.

    Another command may be delegating the same proxy at this moment and take the pending key: `tolerant` leaves the
    refusal to the repetition of the call that needed the delegation, and returns None.
    """
    put = _put_token if ns.credential.kind == TOKEN else _put_proxy
    try:
        return put(ns, name or ns.credential.delegation)
    except RemoteError:
        if not tolerant:
            raise
        return None


def _put_proxy(ns: Connection, name: str) -> DelegationInfo:
    from clients.delegation import sign

    pending = ns.call(OPERATIONS["ns.request_delegation"], delegation=name)
    with open(ns.credential.path, "rb") as file:
        chain = sign(pending.csr_pem, file.read(), time.time())
    reply: DelegationInfo = ns.call(OPERATIONS["ns.put_delegation"], DelegationChain(chain), delegation=name)
    return reply


def _put_token(ns: Connection, name: str) -> DelegationInfo:
    """The token of this connection, and what renews it if `wms login` has that and may share it."""
    from clients.login import shareable

    renewal, client = shareable(ns.credential, os.environ)
    reply: DelegationInfo = ns.call(OPERATIONS["ns.delegate_token"], TokenDelegation(renewal, client), delegation=name)
    return reply


def _upload(ns: Connection, registered: Registered, files: Sequence[LocalFile],
            records: Sequence[File]) -> None:
    known = {file.name: (file, record) for file, record in zip(files, records, strict=True)}
    try:
        for name in registered.upload:
            _upload_one(ns, registered.job, *known[name])
    except (WmsError, KeyboardInterrupt) as cause:
        raise _stopped(registered.job, cause, "it was not started",
                       "It will not run. Forget it (job-cancel) and submit again.") from None


def _upload_one(ns: Connection, job: str, file: LocalFile, record: File) -> None:
    try:
        content = open(file.path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise SandboxFileMissing(f"{file.path} can no longer be read: {error.strerror}") from None
    with content:
        ns.upload(OPERATIONS["ns.upload"], content, record.size, record.sha256,
                  unique=JobId.parse(job).unique, name=file.name)


def _start(ns: Connection, job: str) -> None:
    try:
        ns.call(OPERATIONS["ns.start"], key=uuid4().hex, unique=JobId.parse(job).unique)
    except (TimedOut, KeyboardInterrupt) as cause:
        raise _stopped(job, cause, "it is not known whether it was started",
                       "Look with job-status before you submit it again.") from None
    except WmsError as cause:
        raise _stopped(job, cause, "it was not started",
                       "It will not run. Forget it (job-cancel) and submit again.") from None


def _stopped(job: str, cause: BaseException, outcome: str, hint: str) -> NotStarted:
    record = cause.record() if isinstance(cause, WmsError) else {"message": "interrupted"}
    return NotStarted(f"The job was registered as {job}, but {outcome}: {record['message']}",
                      hint=hint, job=job, cause=record)
