"""The Information Supermarket: what sources say of computing and storage elements, merged into one snapshot.

Enters: files, directories, what CE backends say of themselves. Leaves: immutable snapshots. Only `market` is shell.
"""
