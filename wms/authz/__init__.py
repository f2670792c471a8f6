"""Who may do what, and why: one layer that every remote operation passes, described by data.

Pure: actions, the policy and its text, the relation of a caller to a job. `gate` alone reads files and logs.
"""
