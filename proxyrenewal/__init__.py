"""Proxy Renewal: keeps the credentials of living jobs alive, proxies and tokens.

Enters: messages Register, Unregister, Redelegated and Destroyed from the Network Server. Leaves: ProxyRenewed to the
Job Adapter and the Network Server, CredentialEnded to the Workload Manager, and UserTag events for the owners of jobs.
Owns the tables registrations and registered_jobs, and replaces credential files whole.

`service` composes; `registering` reads messages, `renewals` is the loop, `lanes` its places, `outcomes` what follows;
`by_myproxy` (`renewer`, `attributes`) and `by_token` renew. Pure: schedule, myproxy.
"""
