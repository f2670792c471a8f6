"""Logging & Bookkeeping for a browser: pages, feeds, live news."""
