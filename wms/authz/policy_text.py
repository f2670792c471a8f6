"""The text of a policy (etc/policy.yaml) to rules; all its problems are told at once.

Who is meant is read by wms.authz.who_text; what rules mean is wms.authz.policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from ipaddress import ip_network
from typing import Any

import yaml

from wms.authz.actions import ACTIONS
from wms.authz.nodes import is_null, line_of
from wms.authz.policy import BUILT_IN, Network, Policy, Rule, Who, credential
from wms.authz.relations import Reach
from wms.authz.who_text import EVERYBODY, WhoReader, dn_problem
from wms.identity import canonical_dn, token_name

ALL = "all"
REACHES = {reach.name.lower(): reach for reach in Reach}


def parse_policy(text: str, origin: str = "policy") -> Policy:
    """Raises ConfigError with a line `origin:number: problem` for each problem."""
    reader = _Policy()
    reader.read(text)
    reader.check(origin)
    return Policy(tuple(reader.rules) if reader.has_rules else BUILT_IN, tuple(reader.bans), tuple(reader.superusers),
                  reader.owners, reader.drain, tuple(reader.ban_files))


class _Policy(WhoReader):
    """What was read so far."""

    def __init__(self) -> None:
        super().__init__()
        self.has_rules = False
        self.rules: list[Rule] = []
        self.bans: list[Who] = []
        self.superusers: list[Who] = []
        self.owners: dict[tuple[str, str], str] = {}
        self.ban_files: list[str] = []
        self.drain = False

    def read(self, text: str) -> None:
        keys: Mapping[str, Callable[[yaml.Node], None]] = {
            "rules": self._rules, "ban": self._bans, "ban_files": self._files, "superusers": self._superusers,
            "owners": self._owners, "drain": self._drain}
        root = self.top(text)
        for key, value in self.pairs(root, f"the keys {', '.join(keys)}") if root else ():
            if key.value in keys:
                keys[key.value](value)
            else:
                self.unknown(key, "key", keys)

    # -- who ---------------------------------------------------------------------------------------------

    def _bans(self, node: yaml.Node) -> None:
        for number, item in enumerate(self.items(node, "who is banned"), 1):
            self.bans.append(Who(self.conditions(item), f"ban {number}"))

    def _superusers(self, node: yaml.Node) -> None:
        for number, item in enumerate(self.items(node, "who is a superuser"), 1):
            self.superusers.append(Who(self.conditions(item), f"superuser {number}"))

    def _files(self, node: yaml.Node) -> None:
        self.ban_files += [text for item in self.items(node, "files") if (text := self.text(item, "a file"))]

    # -- rules -------------------------------------------------------------------------------------------

    def _rules(self, node: yaml.Node) -> None:
        self.has_rules = not is_null(node)
        for number, item in enumerate(self.items(node, "rules"), 1):
            self.rules.append(self._rule(item, number))

    def _rule(self, node: yaml.Node, number: int) -> Rule:
        parts: Mapping[str, Callable[[yaml.Node], Any]] = {
            "name": lambda value: self.text(value, "name"), "allow": self._actions, "deny": self._actions,
            "who": self.who, "from": self._hosts, "jobs": self._reach}
        found: dict[str, Any] = {}
        for key, value in self.pairs(node, f"a rule: {', '.join(parts)}"):
            if key.value in parts:
                found[key.value] = parts[key.value](value)
            else:
                self.unknown(key, "part of a rule called", parts)
        if isinstance(node, yaml.MappingNode):
            self._whole(found, line_of(node))
        effect = "allow" if "allow" in found else "deny"
        return Rule(effect == "allow", found.get(effect, frozenset()), found.get("who", Who()), found.get("from", ()),
                    found.get("jobs", Reach.OWN), found.get("name", ""), number)

    def _whole(self, found: Mapping[str, Any], at: int) -> None:
        if len({"allow", "deny"} & found.keys()) != 1:
            self.wrong(at, "a rule has allow or deny")
        if "who" not in found:
            self.wrong(at, f"a rule says who; everybody is written {EVERYBODY}")
        if "deny" in found and "jobs" in found:
            self.wrong(at, "jobs is for rules that allow: who is denied an action is denied it for all jobs")

    def _actions(self, node: yaml.Node) -> frozenset[str]:
        found: set[str] = set()
        for item in self.each(node):
            name = self.text(item, "an action")
            if name == ALL:
                found |= ACTIONS.keys()
            elif name in ACTIONS:
                found.add(name)
            elif isinstance(item, yaml.ScalarNode) and name:
                self.unknown(item, "action", [*ACTIONS, ALL])
        return frozenset(found)

    def _hosts(self, node: yaml.Node) -> tuple[Network, ...]:
        found: list[Network] = []
        for item in self.each(node):
            text = self.text(item, "an address")
            try:
                found += [ip_network(text)] if text else []
            except ValueError as error:
                self.wrong(line_of(item), f"no address or network: {error}")
        if not self.each(node):
            self.wrong(line_of(node), "from names no host")
        return tuple(found)

    def _reach(self, node: yaml.Node) -> Reach:
        name = self.text(node, "jobs")
        if name not in REACHES:
            self.wrong(line_of(node), f"jobs is one of {', '.join(REACHES)}, not {name or 'this'}")
        return REACHES.get(name, Reach.OWN)

    def _drain(self, node: yaml.Node) -> None:
        if not node.tag.endswith(":bool"):
            self.wrong(line_of(node), "drain is true or false")
        else:
            self.drain = bool(yaml.SafeLoader.bool_values[str(node.value).lower()])

    # -- owners ------------------------------------------------------------------------------------------

    def _owners(self, node: yaml.Node) -> None:
        names: dict[str, int] = {}
        for item in self.items(node, "owners"):
            parts = {key.value: (key, value) for key, value in self.pairs(item, "owner and is")}
            for key in parts.keys() - {"owner", "is"}:
                self.unknown(parts[key][0], "part of an owner called", ("owner", "is"))
            if parts.keys() >= {"owner", "is"}:
                self._owner(parts["owner"][1], parts["is"][1], names)
            elif isinstance(item, yaml.MappingNode):
                self.wrong(line_of(item), "an entry says owner and is")
        for (issuer, name), owner in self.owners.items():
            own = token_name(issuer, name) if issuer else name
            if own in names and own != canonical_dn(owner):
                self.wrong(names[own], f"{own} is an owner and somebody else's credential")

    def _owner(self, name: yaml.Node, credentials: yaml.Node, names: dict[str, int]) -> None:
        owner = self.text(name, "owner")
        if owner and (problem := dn_problem(owner)):
            self.wrong(line_of(name), problem)
        names[canonical_dn(owner)] = line_of(name)
        for item in self.items(credentials, "credentials"):
            parts = {key.value: self.text(value, key.value) for key, value in self.pairs(item, "a credential")}
            if parts.keys() not in ({"dn"}, {"issuer", "subject"}):
                self.wrong(line_of(item), "a credential has dn, or issuer and subject")
            elif parts.get("dn", "/")[:1] not in ("", "/"):
                self.wrong(line_of(item), f"{parts['dn']} is no DN; a token is named by issuer and subject")
            elif all(parts.values()):
                self._claim(credential(**parts), owner, line_of(item))

    def _claim(self, key: tuple[str, str], owner: str, at: int) -> None:
        other = self.owners.setdefault(key, owner)
        if canonical_dn(other) != canonical_dn(owner):
            self.wrong(at, f"this credential belongs to {other} already")
