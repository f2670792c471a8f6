"""Network Server: the door of the service for users and for job wrappers.

Enters: remote operations of users (register, upload, start, cancel, rescue, list-match, reasons, sessions, perusal,
states, output, purge, delegation) and of wrappers (input, start, output, done, streams, states); messages Release,
Close, Ended, answers. Leaves: Submit, SubmitCompound, SubmitNodes, Cancel, questions, Resubmit to the Workload
Manager, Reported to the Log Monitor, Register to Proxy Renewal, events to LB.
Owns the tables of `ns.store` and the sandbox directories.
"""
