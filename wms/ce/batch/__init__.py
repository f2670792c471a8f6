"""Batch systems that are commanded by programs (Slurm, PBS, Grid Engine): one backend, a dialect a system.

`backend` is the CE; `staging` and `programs` its spool on the submission host, `system` the commands, `script` what the
batch system runs, `reading` what spool and system say together. `dialect` says what differs; `slurm`, `pbs` and `sge`
are dialects, with their `_words` and `_facts`, pure; `systems` lists them.
"""
