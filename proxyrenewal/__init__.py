"""Proxy Renewal: keeps the credentials of living jobs alive.

Enters: messages Register and Unregister from the Network Server. Leaves: ProxyRenewed to the Job Adapter, and a
UserTag event per job when a renewal fails repeatedly. Owns the tables registrations and registered_jobs, and
replaces credential files whole. Pure: schedule, myproxy.
"""
