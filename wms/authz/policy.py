"""The policy: who may do what, as rules; and the decision about one caller and one action.

Its text is read in wms.authz.policy_text; what a refusal does is wms.authz.gate's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

from wms.authz.actions import ACTIONS, COMPUTE
from wms.authz.patterns import FqanParts, FqanPattern, Glob, fits, fits_path, glob, literal
from wms.authz.relations import Reach, memberships, names
from wms.identity import TOKEN, Identity, canonical_dn

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
DRAINED = frozenset({"submit"})
"""What a service that is drained takes no more; delegations that are new are refused by who keeps them."""


# -- who is meant ------------------------------------------------------------------------------------------


class Condition(NamedTuple):
    """`read` makes a pattern of a text, `holds` compares it with the caller."""

    about: str
    read: Callable[[str], Any]
    holds: Callable[[Any, Identity], bool]


def _names(pattern: Glob, who: Identity) -> bool:
    return any(fits(pattern, canonical_dn(name)) for name in names(who))


def _present(attribute: str) -> Callable[[Glob, Identity], bool]:
    """An attribute that the caller does not have is none of those that a star stands for."""
    def holds(pattern: Glob, who: Identity) -> bool:
        value: str = getattr(who, attribute)
        return bool(value) and fits(pattern, value)

    return holds


def _dn(text: str) -> Glob:
    return glob(canonical_dn(text))


CONDITIONS: Mapping[str, Condition] = {
    "dn": Condition("name of the credential, or of the owner it belongs to", _dn, _names),
    "ca": Condition("name of the authority that signed the certificate", _dn,
                    lambda pattern, who: bool(who.ca_dn) and fits(pattern, canonical_dn(who.ca_dn))),
    "fqan": Condition("VOMS attribute, or group of a token within its VO", FqanPattern.parse,
                      lambda pattern, who: any(pattern.fits(FqanParts.parse(held)) for held in memberships(who))),
    "issuer": Condition("issuer of the token", glob, _present("issuer")),
    "subject": Condition("subject of the token", glob, _present("subject")),
    "group": Condition("group, as the token claims it (wlcg.groups)", glob,
                       lambda pattern, who: any(fits_path(pattern, group) for group in who.groups)),
    "vo": Condition("first VO of the credential", glob, _present("vo")),
    "kind": Condition("certificate or token", literal, _present("kind")),
}


class Who(NamedTuple):
    """All conditions must hold, of each one of its patterns; without any, everybody is meant. `label`: for people."""

    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = ()
    label: str = ""

    def holds(self, who: Identity) -> bool:
        return all(any(CONDITIONS[key].holds(pattern, who) for pattern in patterns)
                   for key, patterns in self.conditions)


EVERYBODY = Who()


def of_dn(dn: str, label: str = "") -> Who:
    """Whoever has this very name: a star is a star."""
    return Who((("dn", (literal(canonical_dn(dn)),)),), label)


# -- the policy --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Rule:
    """`hosts` empty: from anywhere. `jobs`: of whom, when it allows. `number` is its place in the text, from 1."""

    allow: bool
    actions: frozenset[str]
    who: Who = EVERYBODY
    hosts: tuple[Network, ...] = ()
    jobs: Reach = Reach.OWN
    name: str = ""
    number: int = 0

    @property
    def label(self) -> str:
        place = f"rule {self.number}" if self.number else "built-in rule"
        return f"{place} ({self.name})" if self.name else place


BUILT_IN = (Rule(True, frozenset(ACTIONS) - {"administer"}, name="everybody, with what is his"),)
"""Without rules of its own a policy allows this."""


@dataclass(frozen=True, slots=True, eq=False)
class Policy:
    """`owners` by credential (see `credential`); `ban_files` are to be read into `bans`."""

    rules: tuple[Rule, ...] = BUILT_IN
    bans: tuple[Who, ...] = ()
    superusers: tuple[Who, ...] = ()
    owners: Mapping[tuple[str, str], str] = field(default_factory=dict)
    drain: bool = False
    ban_files: tuple[str, ...] = ()


def credential(dn: str = "", issuer: str = "", subject: str = "") -> tuple[str, str]:
    """What tells a credential from all others: issuer and subject of a token, the name of a certificate."""
    return (issuer, subject) if issuer else ("", canonical_dn(dn))


def named(policy: Policy, who: Identity) -> Identity:
    """The caller under the name of the owner to whom the credential belongs."""
    if who.shown or not policy.owners:
        return who
    token = who.kind == TOKEN
    owner = policy.owners.get(credential(who.dn, who.issuer if token else "", who.subject))
    return who if owner is None else replace(who, dn=owner, shown=who.dn)


# -- decisions ---------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    ALLOWED = "allowed"
    BANNED = "banned"
    DRAINING = "draining"
    SCOPE = "scope missing"
    LIMITED = "limited proxy"
    DENIED = "denied"
    NO_RULE = "no rule"


class Decision(NamedTuple):
    """`by` says what decided, `number` is that of the rule, 0 for none; `jobs` is how far what is allowed reaches."""

    verdict: Verdict
    by: str = ""
    number: int = 0
    jobs: Reach = Reach.OWN


class _Asked(NamedTuple):
    policy: Policy
    who: Identity
    action: str
    address: Address | None


def decide(policy: Policy, who: Identity | None, action: str, peer: str = "") -> Decision:
    """The first of ban, drain, credential, denial, superuser, permission that has something to say.

    `peer` is an address. Who shows no credential at all is only kept out by hosts: what he may do is said elsewhere.
    """
    address = _address(peer)
    if who is None:
        denying = [rule for rule in policy.rules if not rule.allow and not rule.who.conditions]
        denial = next((rule for rule in denying if _applies(rule, action, address)), None)
        return Decision(Verdict.ALLOWED) if denial is None else _by(Verdict.DENIED, denial)
    asked = _Asked(policy, who, action, address)
    return next(found for check in _ORDER if (found := check(asked)) is not None)


def _banned(asked: _Asked) -> Decision | None:
    label = ban(asked.policy, asked.who)
    return Decision(Verdict.BANNED, label) if label else None


def _drained(asked: _Asked) -> Decision | None:
    closed = asked.policy.drain and asked.action in DRAINED and not superuser(asked.policy, asked.who)
    return Decision(Verdict.DRAINING, "drain") if closed else None


def _unfit(asked: _Asked) -> Decision | None:
    action = ACTIONS[asked.action]
    if action.full and asked.who.limited:
        return Decision(Verdict.LIMITED, "a limited proxy")
    return Decision(Verdict.SCOPE, action.scope) if action.scope and not _in_scope(asked.who, action.scope) else None


def _in_scope(who: Identity, scope: str) -> bool:
    """A token without any scope of ours counts by its groups, if it has any: then rules alone decide."""
    if who.kind != TOKEN or scope in who.scopes:
        return True
    return bool(who.groups) and not any(held.startswith(COMPUTE) for held in who.scopes)


def _denied(asked: _Asked) -> Decision | None:
    denial = next((rule for rule in asked.policy.rules if not rule.allow and _means(rule, asked)), None)
    return None if denial is None else _by(Verdict.DENIED, denial)


def _trusted(asked: _Asked) -> Decision | None:
    label = superuser(asked.policy, asked.who)
    return Decision(Verdict.ALLOWED, label, 0, _reach(asked.action, Reach.ALL)) if label else None


def _allowed(asked: _Asked) -> Decision:
    """By the rule that reaches farthest, the first of them."""
    rules = [rule for rule in asked.policy.rules if rule.allow and _means(rule, asked)]
    if not rules:
        return Decision(Verdict.NO_RULE)
    return _by(Verdict.ALLOWED, max(rules, key=lambda rule: rule.jobs), asked.action)


_ORDER: tuple[Callable[[_Asked], Decision | None], ...] = (_banned, _drained, _unfit, _denied, _trusted, _allowed)


def _means(rule: Rule, asked: _Asked) -> bool:
    return _applies(rule, asked.action, asked.address) and rule.who.holds(asked.who)


def _applies(rule: Rule, action: str, address: Address | None) -> bool:
    return action in rule.actions and (
        not rule.hosts or (address is not None and any(address in network for network in rule.hosts)))


def _by(verdict: Verdict, rule: Rule, action: str = "") -> Decision:
    return Decision(verdict, rule.label, rule.number, _reach(action, rule.jobs) if action else Reach.OWN)


def _reach(action: str, jobs: Reach) -> Reach:
    return jobs if ACTIONS[action].others else Reach.OWN


def _address(peer: str) -> Address | None:
    """An IPv4 address that came in IPv6 is one of IPv4."""
    try:
        found = ip_address(peer)
    except ValueError:
        return None
    return (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found


@lru_cache(maxsize=4096)
def superuser(policy: Policy, who: Identity) -> str:
    """What makes the caller a superuser; "" if nothing does."""
    return next((one.label for one in policy.superusers if one.holds(who)), "")


@lru_cache(maxsize=4096)
def reach(policy: Policy, who: Identity, action: str) -> Reach:
    """Whose jobs, wherever the caller is; OWN too for somebody who may not do it at all."""
    return decide(policy, who, action).jobs


@lru_cache(maxsize=4096)
def ban(policy: Policy, who: Identity) -> str:
    """The entry that bans the caller; "" if none does."""
    return next((one.label for one in policy.bans if one.holds(who)), "")
