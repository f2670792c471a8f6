"""Dump, load and purge, zombies, and logs of events without a server."""
