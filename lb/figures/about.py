"""What the server says of itself: its configuration, to everybody and to administrators. No password leaves here."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from lb import marks
from lb.access.denials import Gate
from lb.access.rights import Action
from lb.queries.search_plan import INDEXED
from lb.upkeep import archive
from wms.config import Settings
from wms.identity import Identity
from wms.operations.figures import Configuration
from wms.service import Kit
from wms.version import VERSION


async def configuration(kit: Kit, gate: Gate, who: Identity) -> Configuration:
    """For this caller."""
    settings = kit.settings
    common = Configuration(VERSION, gate.server, who.dn, INDEXED, tuple(map(without_password, settings.lb.brokers)),
                           settings.lb.topic_prefixes)
    if not gate.permits(Action.ADMIN_ACCESS, who):
        return common
    begin, end = await kit.database.read(_last_dump)
    return _with_more(common, settings, begin, end)


def _with_more(common: Configuration, settings: Settings, begin: float, end: float) -> Configuration:
    url = sa.make_url(settings.database_url())
    folder = str(archive.directory(settings))
    return Configuration(
        common.server_version, common.server_identity, common.client_identity, common.server_indices,
        common.msg_brokers, common.msg_prefixes, url.database or "", url.host or "", settings.lb.policy,
        tuple(settings.lb.super_users), begin, end, folder, folder)


def _last_dump(conn: sa.Connection) -> tuple[float, float]:
    begin, end = (float(marks.get(conn, name) or 0.0) for name in (marks.DUMP_START, marks.DUMP_END))
    return begin, end


def without_password(url: str) -> str:
    """A URL without the name and the password of its user."""
    scheme, slashes, rest = url.partition("://")
    authority, slash, path = rest.partition("/")
    return scheme + slashes + authority.rpartition("@")[2] + slash + path


def lines(fields: Iterable[tuple[str, object]]) -> str:
    """`key=value` lines; a list is joined by commas."""
    return "".join(f"{name}={','.join(map(str, value)) if isinstance(value, tuple) else value}\n"
                   for name, value in fields)
