"""The log file of one command: made for --logfile or --debug only, and named at the end.

Not what the user is told; that is the session's.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import IO, Self

from clients.errors import FileUnwritable
from wms.version import VERSION

HEADER = "*" * 80 + "\nWMS User Interface - version {version} - Log File\n{time}  {command}\n"
TRAILER = ("\n\t\t*** Log file created ***\n"
           "Possible Errors and Debug messages have been printed in the following file:\n{path}")


@dataclass(slots=True)
class Journal:
    """Open and being appended to; with `loud` its lines go to stderr too."""

    path: str
    file: IO[str]
    loud: bool

    @classmethod
    def begin(cls, command: str, logfile: str, directory: str, *, loud: bool) -> Self:
        """At `logfile` (--logfile), or under a name of its own in `directory` (ErrorStorage)."""
        name = f"{command}_{os.getuid()}_{os.getpid()}_{time.time():.0f}.log"
        path = logfile or os.path.join(directory, name)
        try:
            file = open(path, "a", encoding="utf-8")  # noqa: SIM115 - closed by finish
        except OSError as error:
            raise FileUnwritable(f"The log file {path} cannot be written: {error.strerror}",
                                 path=path) from None
        file.write(HEADER.format(version=VERSION, time=time.strftime("%Y-%m-%d %H:%M:%S"), command=command))
        return cls(path, file, loud)

    def add(self, line: str) -> None:
        self.file.write(f"{time.strftime('%H:%M:%S')} {line}\n")
        if self.loud:
            print(f"(Debug) {line}", file=sys.stderr)

    def finish(self) -> str:
        """Close the file; the words that name it."""
        self.file.close()
        return TRAILER.format(path=os.path.abspath(self.path))
