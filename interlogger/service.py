"""The interlogger as a daemon: it ships the spool of this host. It needs no database and no other daemon here."""

from __future__ import annotations

from interlogger.post import Post
from interlogger.shipper import Shipper
from interlogger.watch import Watch
from wms.config import Settings
from wms.service import Daemon, Kit, Ticker


def make(kit: Kit) -> Daemon:
    """The daemon `interlogger`."""
    directory, post = spool(kit.settings), Post(kit)
    shipper = Shipper(kit, directory, post)
    return Daemon("interlogger", [
        post, shipper, Watch(kit, directory, shipper.look_at),
        Ticker(kit, "scan", kit.settings.interlogger.scan_s, shipper.scan),
    ])


def spool(settings: Settings) -> str:
    """The directory that is shipped."""
    return settings.interlogger.spool or f"{settings.state_dir}/lb-spool"
