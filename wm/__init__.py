"""Workload Manager: finds the computing element of each job, and the next one when an attempt fails.

Enters: messages Submit, Resubmit, Cancel, Finished, ListMatch; what files and CE backends say of resources.
Leaves: Run and Kill to the Job Adapter, CancelAsked to the Log Monitor, Ended and MatchAnswer to the Network
Server, events Match, EnQueued, Pending, Resubmission, Cancel, Abort to LB. Owns the table wm_jobs.
Pure: request, matchmaker, classes, board, cycle, selection, planner, resubmission, supermarket, purchasers.
"""
