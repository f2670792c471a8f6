"""What an attempt used, in the words of ResourceUsage events. Pure; not here: who measured it."""

from __future__ import annotations

from collections.abc import Iterator

from wms.operations import OutcomeReport

__all__ = ["reported"]


def reported(body: OutcomeReport) -> Iterator[tuple[str, float, str]]:
    """(resource, quantity, unit) of all that a wrapper measured."""
    if body.exit_code >= 0:
        yield "real", body.wall_s, "s"
        yield "user", body.cpu_user_s, "s"
        yield "sys", body.cpu_system_s, "s"
    rest = (("max_rss", body.max_rss_kb, "kB"), ("bytes_in", body.bytes_in, "B"), ("files_in", body.files_in, "file"),
            ("bytes_out", body.bytes_out, "B"), ("files_out", body.files_out, "file"))
    yield from ((resource, float(quantity), unit) for resource, quantity, unit in rest if quantity > 0)
