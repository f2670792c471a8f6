"""Job Adapter: makes the wrapper of each attempt and hands it to the computing element's backend.

Enters: messages Run, Kill, Clean, ProxyRenewed; questions about checks of CEs. Leaves: Watch and NotPlaced to the Log
Monitor, Close to the Network Server, events DeQueued and Transfer to LB, submissions, cancellations and fresh proxies
and tokens to the backends. Owns the tables ja_submissions and ja_checks. `submitting` hands over, `reconciling` finds
what a CE holds and nobody wants, `checks` tries a CE. Pure: `wrapper` puts the script together, `wrapper_*` hold the
texts of its parts, `shell` quotes, `adapt` goes from a message to what the backend takes.
"""
