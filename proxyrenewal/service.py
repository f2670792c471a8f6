"""Proxy Renewal as a daemon: the reader of its topic, the loop that renews, and whom it asks."""

from __future__ import annotations

from proxyrenewal.attributes import VomsAttributes
from proxyrenewal.by_myproxy import MyProxyRenewer
from proxyrenewal.by_token import TokenRenewer
from proxyrenewal.registering import Registrations
from proxyrenewal.renewals import Renewals, policy_of
from wms.consumer import Consumer
from wms.identity import CERTIFICATE, TOKEN
from wms.issuers import Issuers
from wms.messages.topics import PROXYRENEWAL
from wms.service import Daemon, Kit


def make(kit: Kit) -> Daemon:
    """The daemon `proxyrenewal`."""
    issuers, attributes = Issuers(kit), VomsAttributes(kit.settings.tls, kit.now)
    renewals = Renewals(kit, {CERTIFICATE: MyProxyRenewer(kit, attributes), TOKEN: TokenRenewer(issuers)})
    registrations = Registrations(kit, policy_of(kit))
    return Daemon("proxyrenewal", [
        issuers,
        renewals,
        Consumer(kit, PROXYRENEWAL, registrations.handle, after=renewals.poke),
    ])
