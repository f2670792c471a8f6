"""Whose account a job runs under, as rules: the grid-mapfile, names of pools, memberships. Pure.

Not here: files and leases (wms.ce.account_pool), who may submit at all (wms.authz).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from wms.authz.patterns import CAPABILITY, ROLE, fits, glob
from wms.identity import canonical_dn

__all__ = ["AccountSettings", "NoAccount", "Rule", "is_account", "is_pool", "lease_name", "mapped", "of_pool",
           "read_gridmap", "usable"]

_ACCOUNT = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_POOL = re.compile(r"\.[A-Za-z_][A-Za-z0-9_.-]{0,27}")
_ENTRY = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^\s"#][^\s]*))\s+([^\s,#]+)(?:,\S*)?\s*(?:#.*)?')
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\(.)")
_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
_NOTHING = re.compile(f"(?:{ROLE}|{CAPABILITY})NULL")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`fqan` is a membership or a pattern with `*`; `/VO` is also the VO of a job without memberships."""

    fqan: str
    account: str


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose account: by the file `gridmap`, else by the first of `rules`, else `fixed`. An account `.x` is a pool.

    `gridmapdir` is the directory of the pools' leases. Users below `least_uid` are refused but those in `allow`,
    with root whatever it says. With nothing set at all every job runs under the service's own account.
    """

    gridmap: str = ""
    gridmapdir: str = ""
    rules: list[Rule] = []
    fixed: str = ""
    least_uid: int = 1000
    allow: list[str] = []


class NoAccount(msgspec.Struct, frozen=True):
    """Nobody's account will do; `permanent`: it stays so until somebody changes the configuration."""

    reason: str
    permanent: bool = True


def is_account(name: str) -> bool:
    """Is it a user name as systems take them: never an option, a number or a path?"""
    return _ACCOUNT.fullmatch(name) is not None


def read_gridmap(text: str) -> dict[str, str]:
    """DN or FQAN -> account or pool; the first line of a name counts, and the first account of a line.

    A line is `"NAME" ACCOUNT[,ACCOUNT]`, with `\\"`, `\\\\` and `\\xHH` in the quotes. What is no such line counts for
    nobody.
    """
    found: dict[str, str] = {}
    for line in text.splitlines():
        if (entry := _ENTRY.fullmatch(line)) is not None:
            quoted, bare, account = entry.groups()
            found.setdefault(_key(_bytes(bare).decode("latin-1") if quoted is None else _plain(quoted)), account)
    return found


def _plain(quoted: str) -> str:
    return _ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else m[2], _bytes(quoted)).decode("latin-1")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _key(name: str) -> str:
    """One spelling per name: what is not printable as the names of certificates have it, no NULL roles."""
    printable = "".join(char if " " <= char <= "~" else f"\\x{ord(char):02X}" for char in name)
    return canonical_dn(_NOTHING.sub("", printable))


def mapped(owner: str, vo: str, fqans: Sequence[str], gridmap: Mapping[str, str], settings: AccountSettings) -> str:
    """The account or pool of somebody, "" for nobody's. The DN counts most, then memberships in their order."""
    memberships = [*(_NOTHING.sub("", fqan) for fqan in fqans), *([f"/{vo}"] if vo else [])]
    lines = (gridmap.get(_key(name), "") for name in (owner, *memberships))
    by_rule = (rule.account for name in memberships for rule in settings.rules
               if fits(glob(_NOTHING.sub("", rule.fqan)), name))
    return next((account for account in (*lines, *by_rule) if account), settings.fixed)


def usable(account: str, uid: int | None, settings: AccountSettings) -> NoAccount | None:
    """Why this account is refused; None if it may be used. `uid` None: it is known on another host only."""
    if not is_account(account):
        return NoAccount(f"{account!r} is not the name of an account")
    if account == "root" or uid == 0:
        return NoAccount("jobs do not run as root")
    if uid is not None and uid < settings.least_uid and account not in settings.allow:
        return NoAccount(f"account {account} has uid {uid}, below {settings.least_uid}, and is not allowed explicitly")
    return None


def is_pool(account: str) -> bool:
    """Is it the name of a pool: a dot and what its accounts begin with?"""
    return _POOL.fullmatch(account) is not None


def of_pool(pool: str, names: Iterable[str]) -> list[str]:
    """The accounts of a pool among the names of a directory, sorted: `.cms` has cms1, cms002, not cmsprd1."""
    stem = pool[1:]
    return sorted(name for name in names if name.startswith(stem) and re.fullmatch(r"[0-9]+", name[len(stem):]))


def lease_name(owner: str) -> str:
    """The name of a DN's lease in a gridmapdir: lower case, each byte but letters and digits as %xx."""
    return "".join(chr(byte).lower() if byte in _PLAIN else f"%{byte:02x}" for byte in _bytes(owner))
