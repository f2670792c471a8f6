"""The interlogger ships the events that were spooled on this host to the servers that the job ids name.

In: the files of the spool (wms.spool_format). Out: POST of their events to the LB of each job, in order within a job,
again until it answers; beside each file how much of it was taken; refused and damaged events in `quarantine/`.
It owns no table. answers, retrying: pure. files: the spool on disk. lane: one server. shipper: all of them.
"""
