"""The topics of the queue: each is read by the daemon whose name it begins with, but NS_NODES by the Network Server."""

from __future__ import annotations

NS, WM, JOBADAPTER, LOGMONITOR, LB, PROXYRENEWAL = "ns", "wm", "jobadapter", "logmonitor", "lb", "proxyrenewal"
WM_MATCH = "wm-match"
"""The Workload Manager's topic for questions, which overtake submissions."""
WM_BEGUN = "wm-begun"
"""The topic of jobs that have begun, for the Workload Manager's own measures."""
JOBADAPTER_CHECKS = "jobadapter-checks"
"""The Job Adapter's topic for checks of computing elements, which take minutes beside its other work."""
LB_CHILDREN = "lb-children"
"""The topic of Logging & Bookkeeping for children that it has yet to make, so that events overtake them."""
NS_NODES = "nodes"
"""The Network Server's topic for nodes to be made jobs, so that what ends a job overtakes them."""
