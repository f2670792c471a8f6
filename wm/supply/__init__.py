"""The Information Supermarket: what sources say of computing and storage elements, merged into one snapshot.

Enters: files, LDAP directories, CRIC, what CE backends say of themselves. Leaves: immutable snapshots and the ids that
changed. Pure: `purchasers` (parsers), `words` (whose counts), `supermarket` (snapshots). Shell: `sources` and
`directory` (asking), `market` (when), `report` and `listing` (for people); `measures` and `own`: what the service says
of CEs itself. No tables.
"""
