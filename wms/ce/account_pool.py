"""Accounts from files: the grid-mapfile, and leases of pool accounts in a gridmapdir.

A lease is a hard link of an account's file, named by the DN, as LCMAPS and its forebears make it: they may share the
directory. Not here: the rules (wms.ce.accounts).
"""

from __future__ import annotations

import fcntl
import os
import pwd
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from wms.ce.accounts import AccountSettings, NoAccount, is_pool, lease_name, mapped, of_pool, read_gridmap, usable
from wms.errors import Unavailable

__all__ = ["Accounts", "lease"]

_LONGEST = 255
"""Bytes of a file name."""


class Accounts:
    """Whose account a job runs under. `here`: the accounts are those of this host, so that their uids are known."""

    def __init__(self, settings: AccountSettings, here: bool = True) -> None:
        self._settings = settings
        self._here = here
        self._gridmap: dict[str, str] = {}
        self._read: tuple[int, int, int] | None = None

    def account(self, owner: str, vo: str, fqans: Sequence[str]) -> str | NoAccount:
        """"" is our own account, where nothing is configured. Raises `Unavailable` when a file cannot be read."""
        settings = self._settings
        if not (settings.gridmap or settings.rules or settings.fixed):
            return ""
        found = mapped(owner, vo, fqans, self._mapfile(), settings)
        if not found:
            return NoAccount(f"no account for {owner} ({', '.join(fqans) or vo or 'no VO'})")
        leased = self._leased(owner, found) if found.startswith(".") else found
        if isinstance(leased, NoAccount):
            return leased
        uid = self._uid(leased)
        return uid if isinstance(uid, NoAccount) else usable(leased, uid, settings) or leased

    def _leased(self, owner: str, pool: str) -> str | NoAccount:
        if not is_pool(pool) or not self._settings.gridmapdir:
            return NoAccount(f"{pool!r} is not the name of a pool" if self._settings.gridmapdir
                             else f"pool {pool} needs a gridmapdir")
        return lease(Path(self._settings.gridmapdir), owner, pool)

    def _uid(self, account: str) -> int | NoAccount | None:
        if not self._here:
            return None
        try:
            return pwd.getpwnam(account).pw_uid
        except KeyError:
            return NoAccount(f"account {account} does not exist on this host")

    def _mapfile(self) -> dict[str, str]:
        """Read again when it was changed."""
        if self._settings.gridmap:
            try:
                stat = os.stat(self._settings.gridmap)
                stamp = stat.st_mtime_ns, stat.st_ino, stat.st_size
                if stamp != self._read:
                    text = Path(self._settings.gridmap).read_text("utf-8", "surrogateescape")
                    self._gridmap, self._read = read_gridmap(text), stamp
            except OSError as error:
                raise Unavailable(f"the grid-mapfile cannot be read: {error}") from None
        return self._gridmap


def lease(directory: Path, owner: str, pool: str) -> str | NoAccount:
    """The account of `pool` (`.cms`) that is this owner's from now on; the same one every time, in every process.

    One who has a lease in another pool gets a second one, named `DN:pool`.
    """
    name = lease_name(owner)
    names = [name, f"{name}:{pool[1:]}"]
    if len(names[1]) > _LONGEST:
        return NoAccount(f"{owner} is too long for the name of a lease")
    try:
        with _locked(directory):
            return _lease(directory, names, pool)
    except OSError as error:
        raise Unavailable(f"the gridmapdir cannot be used: {error}") from None


def _lease(directory: Path, names: Sequence[str], pool: str) -> str | NoAccount:
    for name in names:
        holder = _holder(directory, name)
        if holder is None:
            return _claim(directory, name, pool)
        if of_pool(pool, [holder]):
            os.utime(directory / name)
            return holder if _links(directory, name) == 2 else NoAccount(f"account {holder} is leased more than once")
    return NoAccount(f"the lease of {names[-1]} is not of {pool}")


def _holder(directory: Path, name: str) -> str | None:
    """The account that shares its file with this lease; "" if there is none left, None without a lease."""
    try:
        inode = os.lstat(directory / name).st_ino
    except FileNotFoundError:
        return None
    with os.scandir(directory) as entries:
        return next((e.name for e in entries if e.inode() == inode and "%" not in e.name), "")


def _claim(directory: Path, name: str, pool: str) -> str | NoAccount:
    """Somebody else who does not know our lock may link the same account: then both let go of it."""
    accounts = of_pool(pool, os.listdir(directory))
    for account in accounts:
        if _links(directory, account) == 1:
            with suppress(FileNotFoundError):
                os.link(directory / account, directory / name)
                if _links(directory, account) == 2:
                    return account
                os.unlink(directory / name)
    return NoAccount(f"all {len(accounts)} accounts of pool {pool} are leased", permanent=False)


def _links(directory: Path, name: str) -> int:
    try:
        return os.lstat(directory / name).st_nlink
    except FileNotFoundError:
        return 0


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """One of us at a time."""
    with open(directory / ".wms.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
