"""Network Server: the door of the service for users and for job wrappers.

Enters: remote operations of users (register, upload, start, cancel, list-match, output, purge, delegation) and
of wrappers (input, start, output, done); messages Close, Ended, MatchAnswer. Leaves: Submit, Cancel, ListMatch,
Resubmit to the Workload Manager, Reported to the Log Monitor, Register to Proxy Renewal, events to LB.
Owns the tables ns_jobs, ns_files, ns_attempts, ns_delegations, ns_replies and the sandbox directories.
"""
