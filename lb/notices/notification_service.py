"""Joins the parts of notifications: the follower, the handlers, the loops that deliver and keep order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lb.access.denials import Gate
from lb.notices.board import Board
from lb.notices.delivery import Delivery
from lb.notices.delivery_broker import BrokerCarrier, broker
from lb.notices.delivery_webhook import WebhookCarrier
from lb.notices.notification_bootstrap import Bootstrap
from lb.notices.notification_follower import Notifier
from lb.notices.notification_operations import Registrar, notification_handlers
from lb.notices.notification_upkeep import Upkeep
from wms.httpd import Handler
from wms.service import Kit, Part


@dataclass(frozen=True, slots=True)
class NotificationService:
    """`notifier.follow` is a follower of lb.keeper, `notifier.purged` is to be called by the purge."""

    notifier: Notifier
    registrar: Registrar
    parts: Sequence[Part]
    handlers: Mapping[str, Handler]


def notification_service(kit: Kit, gate: Gate) -> NotificationService:
    """Everything; deliveries only of the kinds that the settings allow."""
    notifier, board = Notifier(gate), Board(kit)
    bootstrap = Bootstrap(kit, notifier)
    registrar = Registrar(kit, gate, board, bootstrap)
    deliveries: list[Part] = []
    if kit.settings.lb.webhook_hosts:
        deliveries.append(Delivery(kit, board, WebhookCarrier(kit)))
    if kit.settings.lb.brokers:
        deliveries.append(Delivery(kit, board, BrokerCarrier(kit, [broker(url) for url in kit.settings.lb.brokers])))
    return NotificationService(notifier, registrar, [*deliveries, board, bootstrap, Upkeep(kit)],
                               notification_handlers(registrar))
