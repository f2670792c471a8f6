"""Job Adapter: makes the wrapper of each attempt and hands it to the computing element's backend.

Enters: messages Run, Kill, Clean, ProxyRenewed. Leaves: Watch and NotPlaced to the Log Monitor, events DeQueued
and Transfer to LB, submissions, cancellations and fresh proxies and tokens to the backends. Owns the table
ja_submissions. Pure: `wrapper` puts the script together, `wrapper_*` hold the texts of its parts, `shell` quotes,
`adapt` goes from a message to what the backend takes.
"""
