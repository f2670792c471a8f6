"""Workload Manager: finds the computing element of each job, and the next one when an attempt fails.

Enters: messages Submit, SubmitCompound, SubmitNodes, Resubmit, Cancel, Finished, CredentialEnded, Buried, ListMatch,
Explain; what files, directories and CE backends say of resources. Leaves: Run and Kill to the Job Adapter, CancelAsked
to the Log Monitor, Release, Ended, Close and answers to the Network Server, events from DeQueued to Abort to LB. Owns
the tables of `wm.tables`. Folders: matching (pure), ordering (pure), supply, catalogues, compounds, recovery,
explaining, replay; the broker and its lanes are here.
"""
