"""A command's conversation with an interactive job: its words to the user and its exit status."""

from __future__ import annotations

import sys
from typing import Any

import click

from clients import terminal
from clients.session import Session
from clients.show import state


def attach(session: Session, job: str, *, from_now: bool = False) -> int:
    """Until the job is over or the user leaves. With --json what the job prints goes to stderr."""
    client = session.client()

    def say(sentence: str) -> None:
        click.echo(sentence, err=True)

    def aside(data: bytes) -> None:
        sys.stderr.buffer.write(data)
        sys.stderr.buffer.flush()

    show = aside if session.common.json else terminal.to_screen
    ended, status = terminal.attach(client, client.network_server(job), job, show, say, from_now=from_now)
    session.answer({"result": "success", "jobid": job, **_result(ended, status)})
    say(words(job, ended, status))
    return exit_status(ended, status)


def tell(session: Session, job: str) -> int:
    """Where the job is attached, for --nolisten."""
    ns = session.client().network_server(job)
    session.say("\n".join(["*" * 69, "JOB NOT ATTACHED:", f"Host: {ns.host}", f"Port: {ns.port}",
                           f"Attach a terminal with: job-attach {job}", "*" * 69]))
    session.answer({"result": "success", "jobid": job, "host": ns.host, "port": ns.port})
    return 0


def _result(ended: terminal.Ended, status: dict[str, Any]) -> dict[str, Any]:
    if not ended.outcome:
        return {"attached": False, "cancelled": ended.cancel, "taken": ended.taken}
    return {"outcome": ended.outcome, "exit_code": status.get("exit_code", 0), "reason": status.get("reason", "")}


def words(job: str, ended: terminal.Ended, status: dict[str, Any]) -> str:
    """What the user is told in the end."""
    if ended.taken:
        return "[another terminal was attached to the job]"
    if ended.cancel:
        return "[the job is being cancelled]"
    if not ended.outcome:
        return f"[detached; the job goes on: job-attach {job}]"
    reason = f": {status['reason']}" if _failed(status) and status.get("reason") else ""
    return f"[the job is over, {state(status)}{reason}]"


def _failed(status: dict[str, Any]) -> bool:
    """Did it not run to its end?"""
    return status.get("state") not in ("Done", "Cleared") or status.get("done_code", 0) not in (0, None)


def exit_status(ended: terminal.Ended, status: dict[str, Any]) -> int:
    """That of the job, when it ran to its end; 0 when it goes on."""
    if not ended.outcome:
        return 0
    return 1 if _failed(status) else int(status.get("exit_code", 0))
