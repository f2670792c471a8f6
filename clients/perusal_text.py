"""The blocks of job-perusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence

WIDTH = 74


def _block(lines: Sequence[str]) -> str:
    head = " glite-wms-job-perusal Success ".center(WIDTH, "=")
    return "\n".join(["", head, "", *lines, "", "=" * WIDTH, ""])


def changed(job: str, files: Sequence[str]) -> str:
    """The block of --set, or, without files, of --unset."""
    if not files:
        return _block(["File(s) perusal has been successfully disabled for the job:", job])
    return _block(["File(s) perusal has been successfully enabled for the job:", job, *(f"- {file}" for file in files)])


def got(job: str, directory: str, some: bool) -> str:
    """The block of --get."""
    if not some:
        return _block(["No files to be retrieved for the job:", job])
    return _block(["The retrieved files have been successfully stored in:", directory])
