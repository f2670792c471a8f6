"""One run of a command: settings and client once they are needed, and everything the user is told or asked.

Not here: options and errors (`clients.main`), the layout of results (`clients.show`).
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from clients.api import Client
    from clients.journal import Journal
    from clients.settings import Settings


@dataclass(frozen=True, slots=True)
class Common:
    """The options that every command has."""

    config: str = ""
    config_vo: str = ""
    vo: str = ""
    endpoint: str = ""
    noint: bool = False
    json: bool = False
    debug: bool = False
    logfile: str = ""


@dataclass(slots=True)
class Session:
    """What a command works in; `quiet` is --nomsg."""

    command: str
    common: Common
    quiet: bool = False
    _settings: Settings | None = None
    _client: Client | None = None
    _journal: Journal | None = None

    @property
    def asks(self) -> bool:
        """May the user be asked something?"""
        return not (self.common.noint or self.common.json)

    @property
    def settings(self) -> Settings:
        if self._settings is None:
            from clients.settings import resolve

            common = self.common
            files = [path for path in (common.config, common.config_vo) if path]
            self._settings = resolve(os.environ, endpoint=common.endpoint, config=files, vo=common.vo)
        return self._settings

    def client(self, needed_s: float = 0.0) -> Client:
        """The client, after the local look at the credential; a proxy must live `needed_s` more seconds, a token,
        when anything is needed, as long as is configured for tokens.
        """
        if self._client is None:
            import time

            from clients import wallet
            from clients.api import Client

            token_s = self.settings.min_token_s if needed_s else 0.0
            found = wallet.from_environment(os.environ, os.getuid(), time.time(), needed_s, token_s, self.note)
            self.warn(*found.warnings)
            self._client = Client(self.settings, found, self.trace)
        return self._client

    # -- what the user is told -----------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Text for people, on stdout; not with --json or --nomsg."""
        if not (self.common.json or self.quiet):
            click.echo(text)

    def note(self, sentence: str) -> None:
        """A sentence beside the result, on stderr; not with --json or --nomsg."""
        self.trace(sentence)
        if not (self.common.json or self.quiet):
            click.echo(sentence, err=True)

    def warn(self, *sentences: str, code: str = "UI_WARNING") -> None:
        for sentence in sentences:
            self.trace(f"warning: {sentence}")
            if not (self.common.json or self.quiet):
                click.echo(f"**** Warning: {code} ****\n{sentence}", err=True)

    def answer(self, document: dict[str, Any]) -> None:
        """The one JSON document of --json."""
        if self.common.json:
            click.echo(json.dumps(document))

    def deliver(self, text: str, path: str, stored: str) -> None:
        """A block of text: to the file of --output, saying `stored` and where, or else to stdout."""
        if not path:
            self.say(text)
            return
        save(path, text + "\n")
        self.say(f"{stored}\n{os.path.abspath(path)}")

    def saved_id(self, path: str, job: str) -> str:
        """Append an identifier to the file of --output; its path, empty when there is none.

        The job is submitted, so a file that cannot be written is a warning.
        """
        from clients.errors import FileUnwritable
        from clients.ids import HEADER

        if not path:
            return ""
        new = not os.path.exists(path) or not os.path.getsize(path)
        try:
            save(path, f"{HEADER}\n{job}\n" if new else f"{job}\n", "a")
        except FileUnwritable as error:
            self.warn(error.message, code=error.code)
            return ""
        return os.path.abspath(path)

    def confirm(self, question: str, default: bool = False) -> bool:
        """Ask; Enter takes the default, end of input declines. Without asking (--noint, --json): yes."""
        if not self.asks:
            return True
        answer = ask(f"{question} [y/n]{'y' if default else 'n'} :")
        if answer is None:
            return False
        return answer.lower() in ("y", "yes") if answer else default

    def trace(self, line: str) -> None:
        """A line for --debug and the log file."""
        if self.common.debug or self.common.logfile:
            if self._journal is None:
                from clients.journal import Journal

                directory = "" if self.common.logfile else self.settings.error_storage
                self._journal = Journal.begin(self.command, self.common.logfile, directory, loud=self.common.debug)
            self._journal.add(line)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._journal is not None:
            self.say(self._journal.finish())


def save(path: str, text: str, mode: str = "w") -> None:
    """Write a file the user named; FileUnwritable when that fails."""
    from clients.errors import FileUnwritable

    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise FileUnwritable(f"The file {path} cannot be written: {error.strerror}", path=path) from None


def ask(question: str) -> str | None:
    """A line from the user without blanks around it, None at the end of input."""
    click.echo(question, nl=False)
    line = sys.stdin.readline()
    if not sys.stdin.isatty():
        click.echo()
    return line.strip() if line else None
