"""Data catalogues: where the replicas of input files are.

Enters: the names a job reads, the catalogues of the configuration. Leaves: `Replicas`, never an error of the job.
Pure: catalogue (which are configured, which are asked), static, dli, rucio (their languages). Shell: resolver.
"""
