"""The local CE: this machine as a batch system of `slots` at a time.

`backend` is the CE; `spool` its files, `processes` its payloads, `facts` what it publishes, `settings` its settings,
`courier` the process that carries the calls of its wrappers.
"""
