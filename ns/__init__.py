"""Network Server: the door of the service for users and for job wrappers.

Enters: remote operations of users (register, upload, start, cancel, rescue, list-match, reasons, sessions, perusal,
states, output, purge, delegation) and of wrappers (input, start, output, done, streams, states, tokens); messages
Release, Close, Ended, ProxyRenewed, answers. Leaves: Submit, SubmitCompound, SubmitNodes, Cancel, questions, Resubmit
to the Workload Manager, Reported to the Log Monitor, Register, Unregister, Redelegated, Destroyed to Proxy Renewal,
events to LB. Owns the tables of `ns.store`, the sandbox directories, and makes the files of delegated credentials
(`delegations`, `delegated_tokens`, `pending_keys`).
"""
