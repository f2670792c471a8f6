"""Commands on this host: child processes in groups of their own, watched by the reactor; no thread, no shell.

Not here: which commands, nor whose account (wms.ce.accounts).
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from twisted.internet.defer import CancelledError, Deferred, DeferredList, DeferredSemaphore, TimeoutError
from twisted.internet.interfaces import IReadDescriptor
from zope.interface import implementer

from wms.ce.accounts import is_account
from wms.ce.hosts import Completed
from wms.ce.hosts.settings import Become
from wms.errors import Unavailable

__all__ = ["ENVIRONMENT", "Here", "became"]

ENVIRONMENT: Mapping[str, str] = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
                                  "LC_ALL": "C", "HOME": "/"}

_CHUNK = 1 << 16
_GRACE_S = 3.0
"""Between TERM and KILL."""

_LEAVE_S = 5.0
"""How long a stop waits for what was killed; a process in the kernel's hands may take for ever."""


class Here:
    """A `Host`. `environment` is all that a command inherits; `at_once`: how many run at the same time."""

    def __init__(self, reactor: Any, environment: Mapping[str, str] = ENVIRONMENT, *, become: Become = "",
                 at_once: int = 8) -> None:
        self._reactor = reactor
        self._environment = dict(environment)
        self._become = become
        self._places = DeferredSemaphore(at_once)
        self._running: set[_Command] = set()
        self._stopped = False

    async def start(self) -> None:
        self._stopped = False

    async def stop(self) -> None:
        """Nothing that was started here is left."""
        self._stopped = True
        ends = [command.gone for command in self._running]
        for command in list(self._running):
            command.fail(Unavailable(f"{command.name}: the service stops"))
            command.signal(signal.SIGKILL)
        left: Deferred[Any] = DeferredList(ends)
        with suppress(TimeoutError):
            await left.addTimeout(_LEAVE_S, self._reactor)

    async def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout_s: float = 60.0, account: str = "",
                  most: int = 16_000_000) -> Completed:
        """See `Host.run`. As another user, it has that user's HOME, USER, LOGNAME and groups."""
        await self._places.acquire()
        try:
            done = await self._start(argv, stdin, account, most).result(timeout_s)
        finally:
            self._places.release()
        return became(done, account) if account else done

    def _start(self, argv: Sequence[str], stdin: bytes, account: str, most: int) -> _Command:
        if self._stopped:
            raise Unavailable(f"{argv[0]}: the service stops")
        line, environment, identity = list(argv), self._environment, dict[str, Any]()
        if account and not (self._become and is_account(account)):
            raise Unavailable(f"{argv[0]} cannot be run as {account!r}", hint="set `become` of this CE to root or sudo")
        if account and self._become == "root":
            environment, identity = _as(account, environment)
        elif account:
            line = ["sudo", "-n", "-u", account, "--", self._find(argv[0]), *argv[1:]]
        command = _Command(self._reactor, argv[0], most, self._running.discard)
        command.start([self._find(line[0]), *line[1:]], stdin, environment, identity)
        self._running.add(command)
        return command

    def _find(self, name: str) -> str:
        found = shutil.which(name, path=self._environment.get("PATH", ""))
        if found is None:
            hint = f"PATH is {self._environment.get('PATH', '')}"
            raise Unavailable(f"no command {name} on this host", hint=hint)
        return found


def _as(account: str, environment: Mapping[str, str]) -> tuple[dict[str, str], dict[str, Any]]:
    """Environment and identity of a child of that user."""
    try:
        user = pwd.getpwnam(account)
    except KeyError:
        raise Unavailable(f"no user {account} on this host") from None
    own = {"HOME": user.pw_dir, "USER": account, "LOGNAME": account}
    groups = os.getgrouplist(account, user.pw_gid)
    return {**environment, **own}, {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": groups}


def became(done: Completed, account: str) -> Completed:
    """The answer of a command under that account; raises `Unavailable` if it was not let become that user."""
    if done.status == 1 and done.stderr.startswith((b"sudo: ", b"runuser: ")):
        raise Unavailable(f"no way to become {account}: {done.stderr.decode(errors='replace').strip()[:500]}")
    return done


class _Command:
    """One child process: its answer is `result`, its end `gone`, which may come later when it was given up."""

    def __init__(self, reactor: Any, name: str, most: int, forget: Callable[[_Command], None]) -> None:
        self.name = name
        self.gone: Deferred[None] = Deferred()
        self._reactor = reactor
        self._most = most
        self._forget = forget
        self._answer: Deferred[Completed] = Deferred(self._given_up)

    def start(self, argv: list[str], stdin: bytes, environment: Mapping[str, str], identity: Mapping[str, Any]) -> None:
        source: int | IO[bytes] = _file(stdin) if stdin else subprocess.DEVNULL
        try:
            self._child = subprocess.Popen(
                argv, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environment), cwd="/",
                start_new_session=True, **identity)
        except (OSError, ValueError) as error:
            raise Unavailable(f"{self.name} cannot be started: {error}") from None
        finally:
            if not isinstance(source, int):
                source.close()
        self._outputs = [_Pipe(self, stream) for stream in (self._child.stdout, self._child.stderr) if stream]
        self._end = _Watched(os.pidfd_open(self._child.pid), self._ended)
        for reader in (*self._outputs, self._end):
            self._reactor.addReader(reader)

    async def result(self, timeout_s: float) -> Completed:
        late = self._reactor.callLater(timeout_s, self._late, timeout_s)
        try:
            return await self._answer
        finally:
            if late.active():
                late.cancel()

    def said(self) -> None:
        """Called at each piece of output."""
        if sum(len(pipe.content) for pipe in self._outputs) > self._most:
            self._leave(Unavailable(f"{self.name} says more than {self._most} bytes"))

    def silent(self, pipe: _Pipe) -> None:
        """Nobody can say anything more there."""
        self._reactor.removeReader(pipe)

    def fail(self, error: BaseException) -> None:
        if not self._answer.called:
            self._answer.errback(error)

    def signal(self, number: signal.Signals) -> None:
        """To all of its group; a command of sudo may be out of our reach."""
        if self._child.returncode is None:  # not waited for yet: the number is still its own
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, number)

    def _late(self, timeout_s: float) -> None:
        self._leave(Unavailable(f"{self.name} gave no answer in {timeout_s:g} s"))

    def _given_up(self, _: Deferred[Completed]) -> None:
        self._leave(CancelledError())

    def _leave(self, error: BaseException) -> None:
        """Answer now; the processes get a moment to end by themselves."""
        self.signal(signal.SIGTERM)
        kill = self._reactor.callLater(_GRACE_S, self.signal, signal.SIGKILL)
        _ = self.gone.addBoth(lambda _: kill.cancel() if kill.active() else None)
        for pipe in self._outputs:
            self._reactor.removeReader(pipe)
        self.fail(error)

    def _ended(self) -> None:
        """What it started itself may still hold the pipes open: what is in them now is its answer."""
        status = self._child.wait()
        for reader in (*self._outputs, self._end):
            self._reactor.removeReader(reader)
        if not self._answer.called:
            for pipe in self._outputs:
                pipe.drain(self._most)
            self.said()
        stdout, stderr = (pipe.close() for pipe in self._outputs)
        os.close(self._end.fileno())
        self._forget(self)
        if not self._answer.called:
            self._answer.callback(Completed(status if status >= 0 else 128 - status, stdout, stderr))
        self.gone.callback(None)


@implementer(IReadDescriptor)
class _Watched:
    """A descriptor that becomes readable when something happened."""

    def __init__(self, fd: int, happened: Callable[[], None]) -> None:
        self._fd = fd
        self._happened = happened

    def fileno(self) -> int:
        return self._fd

    def logPrefix(self) -> str:
        return "command"

    def doRead(self) -> None:
        self._happened()

    def connectionLost(self, reason: object) -> None:
        pass


class _Pipe(_Watched):
    """What a command says on one of its streams."""

    def __init__(self, command: _Command, stream: IO[bytes]) -> None:
        super().__init__(stream.fileno(), self._piece)
        self.content = bytearray()
        self._command = command
        self._stream = stream
        os.set_blocking(self._fd, False)

    def _piece(self) -> None:
        before = len(self.content)
        if not self._read():
            self._command.silent(self)
        elif len(self.content) > before:
            self._command.said()

    def _read(self) -> bool:
        """False at the end of the stream."""
        with suppress(BlockingIOError):
            piece = os.read(self._fd, _CHUNK)
            self.content += piece
            return bool(piece)
        return True

    def drain(self, most: int) -> None:
        """All that is there now, up to a little more than `most`."""
        before = -1
        while before < len(self.content) <= most:
            before = len(self.content)
            self._read()

    def close(self) -> bytes:
        self._stream.close()
        return bytes(self.content)


def _file(content: bytes) -> IO[bytes]:
    """The content as a file without a name: nobody has to feed it."""
    file = os.fdopen(os.memfd_create("stdin"), "w+b")
    file.write(content)
    file.seek(0)
    return file
