"""Dump, load and purge, and logs of events without a server."""
