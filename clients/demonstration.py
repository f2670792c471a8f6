"""The demonstration: one real job from submission to its output, told as it happens."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from clients.api import Client
from clients.site import Site, environment

Say = Callable[[str], None]


def run(site: Site, jdl: Path, say: Say) -> int:
    """Submit, follow, fetch, print; 0 if the job ended as Done with exit code 0."""
    os.environ.update(environment(site))
    with Client.from_environment() as client:
        say(f"Submitting {jdl} to {os.environ['WMS_ENDPOINT']} ...")
        submission = client.submit(jdl.read_text(), str(jdl.parent), file=str(jdl))
        for warning in submission.warnings:
            say(f"Warning: {warning}")
        say(f"Your job identifier is: {submission.job}")
        last = _follow(client, submission.job, say)
        if last.get("state") == "Done":
            _show_output(client, submission.job, say)
    return 0 if last.get("state") == "Done" and not last.get("exit_code") else 1


def _follow(client: Client, job: str, say: Say) -> dict[str, object]:
    began, shown, status = time.monotonic(), "", dict[str, object]()
    for status in client.watch(job):
        state = str(status.get("state", ""))
        if state != shown:
            where = f"  on {status['destination']}" if status.get("destination") else ""
            say(f"  {time.monotonic() - began:6.2f} s  {state:<10}{where}")
            shown = state
    if status.get("reason"):
        say(f"Reason: {status['reason']}; exit code {status.get('exit_code', 0)}")
    return status


def _show_output(client: Client, job: str, say: Say) -> None:
    with tempfile.TemporaryDirectory() as directory:
        output = client.output(job, directory)
        for file in output.files:
            say(f"--- {file.name} ({file.size} bytes)")
            say((Path(directory) / file.name).read_text(errors="replace").rstrip("\n"))
        say("---")
        say("The output was fetched and checked; the job is Cleared." if output.purged else "The output was fetched.")
