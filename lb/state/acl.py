"""The access list of a job: entries as readable texts, changed by ChangeACL events, asked by rights, shown as GACL.

An entry is `PERMISSION ALLOW|DENY KIND ID`, e.g. `READ ALLOW DN /DC=org/CN=Jane`. KIND is DN, FQAN or GROUP. A person
known by a token has the DN `sub:ISSUER#SUBJECT`; groups of a token in its VO count as FQANs. Not the owner's rights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from wms.authz.relations import is_named, memberships
from wms.identity import Identity, canonical_dn

READ, TAG = "READ", "TAG"
TOKEN = "sub:"
_OPERATIONS = {READ: "read", TAG: "write"}  # the names of GACL
_QUOTES = {'"': "&quot;", "'": "&apos;"}
_ROLE, _NULLS = "/Role=", ("/Capability=NULL", "/Role=NULL")


class Entry(NamedTuple):
    """One line of the list."""

    permission: str
    sort: str
    kind: str
    id: str

    @classmethod
    def parse(cls, text: str) -> Entry:
        """The entry of a text that `text` made."""
        return cls(*text.split(" ", 3))

    @property
    def text(self) -> str:
        return " ".join(self)

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Entries with equal keys say the same."""
        canonical = {"DN": canonical_dn, "FQAN": plain_fqan, "GROUP": group}[self.kind]
        return (self.permission, self.sort, self.kind, canonical(self.id))

    def means(self, who: Identity) -> bool:
        """Is this entry about the caller?"""
        match self.kind:
            case "DN":
                return is_named(who, self.id)
            case "FQAN":
                return plain_fqan(self.id) in map(plain_fqan, memberships(who))
            case _:
                return group(self.id) in (plain_fqan(fqan).partition(_ROLE)[0] for fqan in memberships(who))


def asked(fields: Mapping[str, Any]) -> Entry:
    """The entry that the fields of a ChangeACL event are about."""
    return Entry(fields["permission"], fields["permission_type"], fields["user_id_type"], fields["user_id"])


def changed(entries: Sequence[str], fields: Mapping[str, Any]) -> list[str]:
    """The list after a ChangeACL with these fields; adding what is there, or removing what is not, changes nothing."""
    entry = asked(fields)
    if fields["operation"] == "REMOVE":
        return [text for text in entries if Entry.parse(text).key != entry.key]
    return joined(entries, entry)


def joined(entries: Sequence[str], entry: Entry) -> list[str]:
    """The list with an entry, once."""
    return [*entries] if holds(entries, entry) else [*entries, entry.text]


def holds(entries: Sequence[str], entry: Entry) -> bool:
    """Is an entry in the list, however it is spelt?"""
    return any(Entry.parse(text).key == entry.key for text in entries)


def grants(entries: Sequence[str], permission: str, who: Identity) -> bool:
    """Does the list give the caller this permission? Whoever is denied it has it by no other entry."""
    found = {entry.sort for entry in map(Entry.parse, entries) if entry.permission == permission and entry.means(who)}
    return found == {"ALLOW"}


def gacl(entries: Sequence[str]) -> str:
    """The list as GACL XML; "" for an empty one."""
    if not entries:
        return ""
    return f'<?xml version="1.0"?><gacl version="0.9.0">{"".join(map(_xml, map(Entry.parse, entries)))}</gacl>'


def plain_fqan(text: str) -> str:
    """A VOMS FQAN without the parts that say nothing: `/vo/Role=NULL/Capability=NULL` is `/vo`."""
    for nothing in _NULLS:
        text = text.removesuffix(nothing)
    return text


def group(text: str) -> str:
    """The path of a group given as `vo:group`, `vo:/vo/group` or `/vo/group`."""
    vo, colon, path = text.partition(":")
    if not colon:
        return "/" + text.strip("/")
    return path.rstrip("/") if path.startswith("/") else f"/{vo}/{path}".rstrip("/")


def _xml(entry: Entry) -> str:
    effect = entry.sort.lower()
    return (f"<entry><cred><auri>{escape(_auri(entry), _QUOTES)}</auri></cred>"
            f"<{effect}><{_OPERATIONS[entry.permission]}/></{effect}></entry>")


def _auri(entry: Entry) -> str:
    if entry.kind == "DN":
        return entry.id if entry.id.startswith(TOKEN) else f"dn:{entry.id}"
    return f"fqan:{entry.id if entry.kind == 'FQAN' else group(entry.id)}"
