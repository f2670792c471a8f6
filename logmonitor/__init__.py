"""Log Monitor: knows how each submitted attempt ends, and says so.

Enters: messages Watch, Reported, CancelAsked, Withdrawn, GivenUp, NotPlaced; what CE backends say in bulk. Leaves:
events Accepted, Transfer and Done to LB; Close and Ended to the Network Server, Finished to the Workload Manager,
Clean to the Job Adapter. Owns the table lm_watches. Pure: translate.
"""
