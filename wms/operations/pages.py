"""Logging & Bookkeeping for a browser: pages, feeds, live news."""

from __future__ import annotations

from wms.operations.row import Operation, lb

ROWS: tuple[Operation, ...] = (
    lb("home", "GET", "/", "anyone",
        "The caller's jobs, sub-jobs below their parents; ?query=attr=val&attr>val those that satisfy conditions; "
        "?version, ?configuration, ?stats, ?types the service itself, of which everybody sees version and types; "
        "?text, ?json for programs.", stream="page",
        query=("text", "json", "flags", "state", "limit", "cursor", "query", "version", "configuration", "stats",
               "types", "destination", "resolution"), action="read"),
    lb("rss_query", "GET", "/RSS:", "user", "?query=...: the jobs of a query as an RSS feed.", stream="page",
        query=("query",)),
    lb("rss", "GET", "/RSS:{feed}", "user",
        "The caller's jobs of the last hour as an RSS feed: finished, running, aborted, runningVM or doneVM.",
        stream="page"),
    lb("atom_query", "GET", "/Atom:", "user", "?query=...: the jobs of a query as an Atom feed.", stream="page",
        query=("query",)),
    lb("atom", "GET", "/Atom:{feed}", "user", "The same feeds in the Atom format.", stream="page"),
    lb("live", "GET", "/lb/v1/jobs/{unique}/live", "reader",
        "News of a job as server-sent events: version, state and histogram of its children, until it has ended.",
        stream="page"),
)
