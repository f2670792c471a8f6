"""Decisions of the broker, kept so that they can be made again: in come cycles, out go rows of wm_decisions and
wm_snapshots, and reports. `records` and `shelves` are pure; nothing here decides anything.
"""
