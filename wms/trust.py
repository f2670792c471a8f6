"""Whom this service knows by certificate: each chain that TLS let in becomes an identity or one error.

Reads the files of trust again when they change. The rules are `wms.x509` and `wms.voms`, rights `wms.authz`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import crypto
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from wms.callers import Caller
from wms.config import Settings
from wms.errors import BadCredential, ConfigError, ProxyRuleBroken
from wms.service import Kit, Ticker
from wms.tls import (
    MOST_CHAINS,
    NOT_REMEMBERED,
    HostCredential,
    Noted,
    ServerContext,
    Shown,
    host_credential,
    path,
    read,
    shown,
    trusting,
)
from wms.trust_files import Directory, Seen, Stamp, beneath, content, matching, stamp_of
from wms.voms import fqans
from wms.voms.attributes import Membership, memberships, strangers
from wms.voms.vomsdir import Vomsdir, read_vomsdir
from wms.x509 import anchors
from wms.x509.judgement import Rules, check_issued, judge
from wms.x509.legacy import legacy_proxies
from wms.x509.proxy import LONGEST_CHAIN, in_order, verify_links
from wms.x509.rfc3820 import subject_dn
from wms.x509.verdicts import OF_OLD_PROXIES, verdict

Chain = tuple[x509.Certificate, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that was read, in one moment; `generation` counts them.

    `host_problem` says why the host's own files of these stamps are not in use.
    """

    generation: int
    host: HostCredential
    host_stamps: tuple[Stamp | None, ...]
    host_problem: str
    ca_files: Seen[anchors.Parsed]
    voms_files: Seen[bytes]
    anchors: anchors.Anchors
    vomsdir: Vomsdir
    store: crypto.X509Store


class Trust:
    """One for a process: `context` is what listeners take, `caller` says who a connection is (`wms.callers.Chains`)."""

    def __init__(self, settings: Settings, log: Logger) -> None:
        """ConfigError names the setting, file or directory that cannot be used."""
        self._settings, self._host, self._log = settings.tls, settings.host, log
        self._rules = Rules(settings.tls.crl, settings.tls.signing_policy, settings.tls.legacy_proxies)
        self._cas: Directory[anchors.Parsed] = Directory(
            Path(settings.tls.ca_dir), matching(anchors.NAME.fullmatch), anchors.read, anchors.Unreadable)
        self._voms: Directory[bytes] = Directory(
            Path(settings.tls.vomsdir), beneath, lambda _name, content: content, lambda _reason: b"")
        try:
            self._now = self._read(None)
        except OSError:
            raise ConfigError(f"TLS: there is no directory {settings.tls.ca_dir} of trusted CAs.") from None
        self._warn(None, self._now)
        self._callers: dict[bytes, Caller] = {}
        self.context = ServerContext(self._now.host, self._now.anchors.authorities)

    @property
    def generation(self) -> int:
        """Grows whenever something of the trust changed: what was judged before must be judged again."""
        return self._now.generation

    # -- what changes ------------------------------------------------------------------------------------

    def watching(self, kit: Kit) -> Ticker:
        """The part that notices changes."""
        return Ticker(kit, "trust", self._settings.reload_s, lambda: self.reload(kit.thread))

    async def reload(self, thread: Callable[[Callable[[Snapshot], Snapshot], Snapshot], Deferred[Snapshot]]) -> bool:
        """Whether something changed. What cannot be read leaves all as it was, with a warning."""
        before = self._now
        try:
            fresh = await thread(self._read, before)
        except OSError as error:
            self._log.error("the trust is not read again: {reason}", reason=str(error))
            return False
        if fresh is before:
            return False
        self._warn(before, fresh)
        self._now, self._callers = fresh, {}
        self.context.use(fresh.host, fresh.anchors.authorities)
        self._log.info("trust read again: {count} authorities", count=len(fresh.anchors.authorities),
                       generation=fresh.generation)
        return True

    def _read(self, before: Snapshot | None) -> Snapshot:
        """`before` itself when nothing changed. Raises OSError, and ConfigError when there is no `before`."""
        names = self._settings
        stamps = (stamp_of(Path(names.certificate)), stamp_of(Path(names.key)))
        ca_files = self._cas.read(before.ca_files if before else Seen())
        voms_files = self._voms.read(before.voms_files if before else Seen())
        if before and (stamps, ca_files, voms_files) == (before.host_stamps, before.ca_files, before.voms_files):
            return before
        host, problem = self._host_credential(before)
        found = anchors.collect(ca_files.files)
        return Snapshot(before.generation + 1 if before else 1, host, stamps, problem, ca_files, voms_files, found,
                        read_vomsdir(voms_files.files), trusting(found.authorities))

    def _host_credential(self, before: Snapshot | None) -> tuple[HostCredential, str]:
        """The one before, and why, when the files cannot be used: they may be half replaced."""
        files = self._settings.certificate, self._settings.key
        try:
            return host_credential(*map(content, files)), ""
        except ConfigError as error:
            problem = f"{error.message} ({', '.join(files)})"
            if before is None:
                raise ConfigError(problem) from error
            return before.host, problem

    def _warn(self, before: Snapshot | None, fresh: Snapshot) -> None:
        """One line a file that became unreadable."""
        if fresh.host_problem and (before is None or fresh.host_problem != before.host_problem):
            self._log.error("the host's certificate from before stays in use: {reason}", reason=fresh.host_problem)
        known = before.ca_files.files if before else {}
        for name, said in fresh.ca_files.files.items():
            if isinstance(said, anchors.Unreadable) and known.get(name) is not said:
                self._log.warn("{file} is left out: {reason}", file=str(self._cas.path / name), reason=said.reason)
        for problem in fresh.vomsdir.problems:
            if before is None or problem not in before.vomsdir.problems:
                self._log.warn("{file} is left out of {directory}", file=problem, directory=str(self._voms.path))

    # -- who calls ---------------------------------------------------------------------------------------

    def caller(self, transport: Any, now: float) -> Caller:
        """Raises BadCredential, which is logged with who it was."""
        found = shown(transport)
        if found is None:
            return Caller(None, generation=self.generation)
        known = None if found.noted else self._callers.get(found.name)
        if known is not None and now < known.until:
            return known
        try:
            return self._remembered(found, self._judged(found, now))
        except BadCredential as error:
            self._log.warn("refused the certificate of {dn} from {peer}: {reason}", dn=_name(found.leaf),
                           peer=_peer(transport), reason=error.message, code=error.code)
            raise

    def _remembered(self, found: Shown, caller: Caller) -> Caller:
        """The same chain is the same caller until something ends or changes."""
        if len(self._callers) >= MOST_CHAINS:
            self._callers.clear()
        if not found.noted:
            self._callers[found.name] = caller
        return caller

    def _judged(self, found: Shown, now: float) -> Caller:
        if len(found.others) > LONGEST_CHAIN:
            raise ProxyRuleBroken(f"The chain has more than {LONGEST_CHAIN} certificates.")
        if found.noted:
            chain = self._old(found)
        elif found.verified and found.context is self.context.getContext():
            chain = read(found.verified)
        else:
            chain = self._path(found.leaf, found.others)
        judged = judge(chain, self._now.anchors, self._rules, now)
        proven = self._memberships(chain, now)
        identity = replace(judged.identity, fqans=tuple(name for one in proven for name in one.fqans),
                           groups=tuple(dict.fromkeys(fqans.parse(name).group for one in proven for name in one.fqans)),
                           vo=proven[0].vo if proven else "",
                           not_after=min([judged.identity.not_after, *(one.not_after for one in proven)]))
        return Caller(identity, chain, min(judged.until, identity.not_after), self.generation)

    def _memberships(self, chain: Chain, now: float) -> tuple[Membership, ...]:
        known = self._now
        if unknown := strangers(chain, known.vomsdir):
            self._log.info("attributes of VOs that are not known here are passed by: {vos}", vos=", ".join(unknown),
                           dn=subject_dn(chain[0].subject))
        return memberships(chain, now, known.vomsdir, self._host, authorities=known.anchors.authorities,
                           check=lambda way: check_issued(way, known.anchors, self._rules, now))

    def _path(self, leaf: crypto.X509, others: tuple[crypto.X509, ...]) -> Chain:
        """The way to an authority, as it is trusted now."""
        way = path(self._now.store, leaf, others)
        if isinstance(way, Noted):
            raise _error(way)
        return read(way)

    def _old(self, found: Shown) -> Chain:
        """OpenSSL has noted something: only a proxy from before RFC 3820 may be the reason, where they are accepted.

        Its links are verified here, the end entity's path by OpenSSL as for everybody.
        """
        first = found.noted[0]
        if first.number == NOT_REMEMBERED:
            raise BadCredential("The TLS session is not known any more.", hint="Connect without resuming a session.")
        leaf, *others = read((found.leaf, *found.others))
        chain = in_order(leaf, others)
        old = legacy_proxies(chain)
        if not old:
            raise _error(first)
        if not self._rules.legacy_proxies:
            raise old[0]
        if others_too := [one for one in found.noted if one.number not in OF_OLD_PROXIES]:
            raise _error(others_too[0])
        verify_links(chain[: len(old) + 1])
        owner, *above = (crypto.X509.from_cryptography(cert) for cert in chain[len(old) :])
        return (*chain[: len(old)], *self._path(owner, tuple(above)))


def _error(noted: Noted) -> BadCredential:
    return verdict(noted.number, noted.depth, _name(noted.certificate))


def _name(cert: crypto.X509) -> str:
    """For people; whatever was shown."""
    try:
        return subject_dn(read([cert])[0].subject)
    except BadCredential:
        return "with an unreadable name"


def _peer(transport: Any) -> str:
    return str(getattr(transport.getPeer(), "host", ""))
