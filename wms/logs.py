"""JSON lines on standard error: one object an event, with time, level, daemon, message and its fields."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, Any

import msgspec
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
)
from zope.interface import implementer

_OMITTED = {"log_logger", "log_time", "log_format", "log_source", "log_level", "log_namespace", "log_failure",
            "log_trace", "log_system", "isError", "format", "time", "message", "system", "why", "failure", "log_text",
            "log_flattened", "logLevel", "printed", "warning", "category", "filename", "lineno"}


@implementer(ILogObserver)
class JsonLines:
    """Writes each event as one line; a value that is not JSON is written as its text."""

    def __init__(self, out: IO[str], daemon: str) -> None:
        self._out = out
        self._daemon = daemon

    def __call__(self, event: Any) -> None:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds"),
            "level": event["log_level"].name, "daemon": self._daemon, "message": formatEvent(event)}
        failure = event.get("log_failure")
        if failure is not None:
            line["traceback"] = failure.getTraceback()[-8000:]
        line.update((k, v) for k, v in event.items() if k not in _OMITTED and k not in line)
        self._out.write(msgspec.json.encode(line, enc_hook=repr).decode() + "\n")
        self._out.flush()


def begin(out: IO[str], daemon: str, level: str = "info") -> None:
    """From now on all log events of the process go to `out`."""
    predicate = LogLevelFilterPredicate(LogLevel.lookupByName(level))
    predicate.setLogLevelForNamespace("twisted.web", LogLevel.warn)
    predicate.setLogLevelForNamespace("twisted.internet", LogLevel.warn)
    globalLogBeginner.beginLoggingTo(
        [FilteringLogObserver(JsonLines(out, daemon), [predicate])], redirectStandardIO=False, discardBuffer=True)
