"""No key is kept that nothing needs: credentials that ended, keys nobody completed, files that nothing names."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ns import delegation_rows as rows
from ns import pending_keys
from wms.credentials import PROXY, TOKEN
from wms.service import Kit

BATCH = 200
KEPT_S = 86_400.0
"""A delegated credential is removed this long after its end, a file that nothing names this long after its birth."""
SEARCH_S = 3600.0
KINDS = (PROXY, TOKEN)


class CredentialUpkeep:
    """What housekeeping does with credentials; both may be interrupted at any place."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit

    async def tidy(self) -> None:
        """Those that ended and that no job needs, and keys that waited too long."""
        kit, now = self._kit, self._kit.now()
        directory, before = kit.credentials.directory, now - KEPT_S
        await kit.thread(pending_keys.remove_old, directory, now - pending_keys.KEPT_S)
        idle = await kit.database.read(rows.idle, before, BATCH)
        removed = await kit.thread(remove_files, directory, idle, before)
        if removed:
            await kit.database.transact(rows.forget, removed, before)

    async def search(self) -> None:
        """What a crash left behind: credentials that are not on record, halves of files."""
        kit, before = self._kit, self._kit.now() - KEPT_S
        old = await kit.thread(_old_files, kit.credentials.directory, before)
        for start in range(0, len(old), BATCH):
            some = old[start:start + BATCH]
            known = await kit.database.read(rows.known, [path.stem for path in some])
            strays = [path for path in some if path.stem not in known]
            await kit.thread(_remove_all, strays, before)


def remove_files(directory: Path, credentials: Iterable[str], before: float) -> list[str]:
    """Remove the files of these credentials, last written `before`.

    Returns the credentials whose files are gone; one that was written since is left alone.
    """
    return [credential for credential in credentials
            if sum(_remove_old(directory / f"{credential}{kind}", before) for kind in KINDS) == len(KINDS)]


def _remove_all(paths: Iterable[Path], before: float) -> None:
    for path in paths:
        _remove_old(path, before)


def _remove_old(path: Path, before: float) -> bool:
    """Is it gone?"""
    try:
        if path.stat().st_mtime >= before:
            return False
        path.unlink()
    except FileNotFoundError:
        return True
    return True


def _old_files(directory: Path, before: float) -> list[Path]:
    """Credentials and halves of them (hidden), last written `before`."""
    if not directory.exists():
        return []
    found = [path for path in directory.iterdir() if path.suffix in KINDS or path.name.startswith(".")]
    return sorted(path for path in found if pending_keys.last_written(path) < before)
