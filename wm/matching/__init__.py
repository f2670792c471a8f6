"""Which computing elements may run a job, how well, and which one gets it. Pure: no tables, no clock, no network.

Enters: a request and a snapshot of the supermarket. Leaves: matches with a reason for each refusal, and a plan.
"""
