"""Commands on a login node: OpenSSH's client over one master connection, opened at need and again when it died.

The remote shell must read words quoted as POSIX says (sh, bash, ksh, zsh). Not here: which commands.
"""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.internet.defer import DeferredLock

from wms.ce.accounts import is_account
from wms.ce.hosts import Completed
from wms.ce.hosts.here import ENVIRONMENT, Here, became
from wms.ce.hosts.settings import Become, SshSettings
from wms.errors import Unavailable

__all__ = ["REMOTE", "Ssh", "remote_line"]

REMOTE: Mapping[str, str] = {"LC_ALL": "C"}
"""What commands get beside what the login node gives them."""

_LOST = 255
"""ssh itself failed. A command that ends so is taken for it, too."""

_IDLE_S = 900
"""A connection that nobody uses closes itself: also when this process was killed and cannot close it."""

_LATER_S = 2
"""The login node ends a command itself so long after we gave it up."""

_AS = {"": [], "root": ["runuser", "-u", "{}", "--"], "sudo": ["sudo", "-n", "-u", "{}", "--"]}


class Ssh:
    """A `Host`. `at_once` must not exceed MaxSessions of the login node's sshd (10 as it comes)."""

    def __init__(self, reactor: Any, settings: SshSettings, environment: Mapping[str, str] = REMOTE, *,
                 become: Become = "", at_once: int = 8) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._become = become
        agent = {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
        self._here = Here(reactor, {**ENVIRONMENT, **agent}, at_once=at_once)
        self._lock = DeferredLock()
        self._place: Path | None = None
        self._opened = 0
        self._up = False
        self._attempts = 0
        self._why = ""

    async def start(self) -> None:
        """The connection is opened at the first command: a login node that is down stops nobody's start."""
        self._place = Path(tempfile.mkdtemp(prefix="wms-"))
        await self._here.start()

    async def stop(self) -> None:
        """Commands first, then what carries them."""
        await self._here.stop()
        await self._here.start()
        await self._close()
        await self._here.stop()
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)
        self._place = None

    async def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout_s: float = 60.0, account: str = "",
                  most: int = 16_000_000) -> Completed:
        """See `Host.run`. `argv` in all may have 128 KiB: it travels as one word."""
        await self._connected()
        opening = self._opened
        line = remote_line(argv, timeout_s + _LATER_S, self._environment, self._become, account)
        command = [*self._client("-T", "-o", "ProxyCommand=false"), "--", self._settings.host, line]
        done = await self._here.run(command, stdin, timeout_s=timeout_s, most=most)
        if done.status == _LOST:
            await self._lost(opening)
            raise self._unavailable(f"{argv[0]} was not answered", done.stderr)
        if done.status in (126, 127) and b"failed to run command" in done.stderr:
            raise self._unavailable(f"no command {argv[0]}", done.stderr)
        return became(done, account) if account else done

    # -- the connection -----------------------------------------------------------------------------------

    async def _connected(self) -> None:
        """Those who waited for an attempt that failed do not try once more."""
        seen = self._attempts
        await self._lock.acquire()
        try:
            if self._up and self._socket.exists():
                return
            if self._attempts != seen and not self._up:
                raise Unavailable(self._why)
            await self._open()
        finally:
            self._lock.release()

    async def _open(self) -> None:
        await self._close()
        self._opened += 1
        self._attempts += 1
        master = ["-M", "-N", "-f", "-o", f"ControlPersist={_IDLE_S}"]
        command = [*self._client(*master), "--", self._settings.host]
        try:
            done = await self._here.run(command, timeout_s=2.0 * self._settings.connect_s)
            if done.status:
                raise self._unavailable("no connection", done.stderr)
        except Unavailable as error:
            self._why = str(error)
            raise
        self._up = True

    async def _lost(self, opening: int) -> None:
        """A command failed: of the connection, or of itself?"""
        if self._up and opening == self._opened and not await self._ask("check"):
            self._up = False

    async def _close(self) -> None:
        if self._place is not None and self._opened and self._socket.exists():
            await self._ask("exit")
        self._up = False

    async def _ask(self, question: str) -> bool:
        command = [*self._client("-O", question), "--", self._settings.host]
        with suppress(Unavailable):
            return (await self._here.run(command, timeout_s=5.0)).status == 0
        return False

    @property
    def _socket(self) -> Path:
        """Of the newest connection. An address of this kind may have 104 bytes."""
        if self._place is None:
            raise Unavailable(f"{self._settings.host}: not started")
        return self._place / str(self._opened)

    def _client(self, *more: str) -> list[str]:
        return ["ssh", "-S", str(self._socket), *options(self._settings), *more]

    def _unavailable(self, what: str, said: bytes) -> Unavailable:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        return Unavailable(f"{self._settings.host}: {what}{': ' + lines[-1][:500] if lines else ''}")


def remote_line(argv: Sequence[str], timeout_s: float, environment: Mapping[str, str], become: Become,
                account: str) -> str:
    """What the login shell over there reads. A signal's end comes back as 128 + n; what hangs is ended there."""
    if account and not (become and is_account(account)):
        raise Unavailable(f"{argv[0]} cannot be run as {account!r}", hint="set `become` of this CE to root or sudo")
    pairs = [f"{name}={value}" for name, value in environment.items()]
    as_user = [word.format(account) for word in (_AS[become] if account else ())]
    limit = ["timeout", "-k", "3", f"{timeout_s:.0f}"]
    return shlex.join(["env", *pairs, "sh", "-c", '"$@"; exit $?', "sh", *limit, *as_user, *argv])


def options(settings: SshSettings) -> list[str]:
    """Options of every call: nobody is asked, nothing is forwarded, unknown hosts are refused."""
    said = {"BatchMode": "yes", "StrictHostKeyChecking": "yes", "ConnectTimeout": settings.connect_s,
            "ServerAliveInterval": settings.alive_s, "ServerAliveCountMax": 3, "ClearAllForwardings": "yes",
            "ForwardAgent": "no", "PermitLocalCommand": "no", "LogLevel": "ERROR", "Port": settings.port}
    if settings.known_hosts:
        said["UserKnownHostsFile"] = settings.known_hosts
    if settings.user:
        said["User"] = settings.user
    if settings.identity:
        said |= {"IdentityFile": settings.identity, "IdentitiesOnly": "yes"}
    return [word for name, value in said.items() for word in ("-o", f"{name}={value}")]
