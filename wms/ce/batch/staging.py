"""The spool of a batch system, seen from here: one command on the submission host for any number of jobs.

Not here: the programs themselves (programs), what the batch system says (system).
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from wms.ce.batch import programs
from wms.ce.batch.reading import Entry
from wms.ce.batch.script import TOKEN
from wms.ce.hosts import Completed, Host
from wms.errors import Unavailable

__all__ = ["Answer", "Files", "SpoolFull", "Staging"]

OUTPUT_BYTES = 65536
_UNKNOWN = "?"
_FULL = 74
_BUSY = 75

Files = Mapping[str, Mapping[str, bytes]]
"""By token, the files of a job by name."""


class SpoolFull(Exception):
    """What was to be written there could not be; the words are those of the host."""


class Answer(NamedTuple):
    """What became of a token that was handed over: `verb` is ok, no, later, halfway or gone."""

    verb: str
    text: str


class Staging:
    """One spool on one host. `account`: whose job it is, "" for ours. Everything may raise `Unavailable`."""

    def __init__(self, host: Host, spool: str, timeout_s: float) -> None:
        self._host = host
        self._spool = spool
        self._timeout_s = timeout_s

    async def prepare(self, shared: bool) -> None:
        """Make the directories; `shared`: several accounts have jobs here."""
        await self._run(programs.PREPARE, ["1733" if shared else "0700"])

    async def submit(
        self, account: str, lanes: str, order: Mapping[str, str | None], files: Files, silent: str,
        command: Sequence[str],
    ) -> dict[str, Answer]:
        """`order`: token -> the job that the batch system knows, "" if it knows none, None if nobody has asked it.

        `lanes` are those of its tokens. Raises `SpoolFull`.
        """
        lines = [f"{token} {_UNKNOWN if handle is None else handle or '-'}" for token, handle in order.items()]
        said = await self._run(programs.SUBMIT, [account, lanes, silent, *command], _tar(lines, files), account)
        return dict(_answers(said.splitlines(), order))

    async def entries(self, tokens: Iterable[str]) -> dict[str, Entry]:
        """Of those that the spool knows."""
        said = await self._run(programs.ENTRIES, [], _lines(tokens))
        return dict(found for line in said.splitlines() if (found := _entry(line)) is not None)

    async def known(self) -> list[str]:
        said = await self._run(programs.KNOWN, [])
        return sorted({token for token in said.splitlines() if TOKEN.fullmatch(token)})

    async def output(self, token: str, account: str) -> str:
        return await self._run(programs.OUTPUT, [token, str(OUTPUT_BYTES)], b"", account)

    async def cancelled(self, tokens: Collection[str]) -> None:
        """Note it, so that none of them starts from now on."""
        await self._run(programs.CANCELLED, [], _lines(tokens))

    async def renew(self, tokens: Collection[str], account: str, credentials: Mapping[str, bytes]) -> None:
        await self._run(programs.CREDENTIALS, [], _tar(tokens, {"": credentials}), account)

    async def clean(self, tokens: Collection[str], account: str) -> None:
        await self._run(programs.CLEAN, [], _lines(tokens), account)

    async def _run(self, program: str, arguments: Sequence[str], stdin: bytes = b"", account: str = "") -> str:
        done = await self._host.run(["sh", "-c", program, "wms", self._spool, *arguments], stdin,
                                    timeout_s=self._timeout_s, account=account)
        if done.status:
            raise _failure(done, self._spool)
        return done.stdout.decode("utf-8", "replace")


def _failure(done: Completed, spool: str) -> Exception:
    words = " ".join(done.stderr.decode("utf-8", "replace").split())[:300]
    if done.status == _FULL:
        return SpoolFull(words)
    if done.status == _BUSY:
        return Unavailable(f"another submission holds the spool {spool}")
    return Unavailable(f"the spool {spool} cannot be used: {words or f'status {done.status}'}")


def _lines(tokens: Iterable[str]) -> bytes:
    return "".join(f"{token}\n" for token in tokens if TOKEN.fullmatch(token)).encode()


def _tar(order: Iterable[str], files: Files) -> bytes:
    """`.order` with these lines, and a private directory per token with its files; those of no token at the top."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        _add(tar, ".order", "".join(f"{line}\n" for line in order).encode())
        for token, contents in files.items():
            if token:
                directory = tarfile.TarInfo(token)
                directory.type, directory.mode = tarfile.DIRTYPE, 0o700
                tar.addfile(directory)
            for name, content in contents.items():
                _add(tar, f"{token}/{name}".lstrip("/"), content)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    tar.addfile(entry, io.BytesIO(content))


def _answers(lines: Iterable[str], asked: Collection[str]) -> Iterable[tuple[str, Answer]]:
    for line in lines:
        token, _, rest = line.partition(" ")
        verb, _, text = rest.partition(" ")
        if token in asked:
            yield token, Answer(verb, text.strip())


def _entry(line: str) -> tuple[str, Entry] | None:
    """None for a line that is not one: jobs write a part of it themselves."""
    parts = line.split("|")
    if len(parts) != 4 or not TOKEN.fullmatch(parts[0]):
        return None
    handle, _, account = parts[1].partition(" ")
    status, _, node = parts[2].partition(" ")
    code = int(status) if status.isdecimal() and len(status) < 4 else None
    return parts[0], Entry(handle, account.strip(), code, node.strip()[:200], bool(status), "j" in parts[3],
                           "c" in parts[3])
